package host

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// What the subjects of an event begin with; its topic follows.
const (
	eventSubject = "ixt.ev."   // as who has subscribed gets it
	keptSubject  = "ixt.kept." // the same for the stream, if a durable subscription waits for it
)

// What an event carries beside its payload.
const (
	headerSource = "Ixt-Source" // id of the module that published it
	headerTrace  = "Ixt-Trace"
	headerTime   = "Ixt-Time" // Unix seconds
)

// events is the service by which modules publish and subscribe.
type events struct {
	engine   *engine
	interest *interest
	audience *audience

	life    context.Context // ended by close
	end     context.CancelFunc
	running sync.WaitGroup // one for each subscription

	mu     sync.Mutex // never held across I/O
	owners map[owner]map[string]*subscription
}

// owner is who subscriptions belong to: an instance, whichever process it has.
type owner struct {
	module string
	number int
}

func newEvents(e *engine) *events {
	s := &events{engine: e, interest: newInterest(), audience: newAudience(), owners: map[owner]map[string]*subscription{}}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// Name is what a module puts into "service".
func (s *events) Name() string { return ipc.ServiceEvents }

// Call serves one request.
func (s *events) Call(ctx context.Context, caller supervisor.Caller, method string, params ipc.Data) (ipc.Data, error) {
	switch method {
	case ipc.MethodPublish:
		var p ipc.Publication
		if err := ipc.DecodeParams(ipc.ServiceEvents, method, params, &p); err != nil {
			return ipc.Data{}, err
		}
		return ipc.Data{}, s.publish(ctx, caller, p)
	case ipc.MethodSubscribe:
		var p ipc.Subscription
		if err := ipc.DecodeParams(ipc.ServiceEvents, method, params, &p); err != nil {
			return ipc.Data{}, err
		}
		name, err := s.subscribe(ctx, caller, p)
		if err != nil {
			return ipc.Data{}, err
		}
		return ipc.Pack(ipc.Subscribed{Subscription: name})
	case ipc.MethodUnsubscribe:
		var p ipc.Subscribed
		if err := ipc.DecodeParams(ipc.ServiceEvents, method, params, &p); err != nil {
			return ipc.Data{}, err
		}
		return ipc.Data{}, s.unsubscribe(ctx, caller, p.Subscription)
	}
	return ipc.Data{}, ipc.Refuse(ipc.CodeUnknownType, "%s has no method %q; it has %q, %q and %q", ipc.ServiceEvents, method,
		ipc.MethodPublish, ipc.MethodSubscribe, ipc.MethodUnsubscribe)
}

// delivered is an event as a module gets it, but for its place among others. Whoever publishes by other means than ixt may leave
// the headers out.
func delivered(m *nats.Msg, topic string, attempt int) ipc.Event {
	at, err := strconv.ParseInt(m.Header.Get(headerTime), 10, 64)
	if err != nil {
		at = time.Now().Unix()
	}
	return ipc.Event{
		Message: ipc.Message{Topic: topic, Payload: ipc.OwnPayload(m.Data)},
		Context: ipc.Context{
			TraceID:      m.Header.Get(headerTrace),
			SourceModule: m.Header.Get(headerSource),
			Timestamp:    at,
			Attempt:      attempt,
		},
	}
}
