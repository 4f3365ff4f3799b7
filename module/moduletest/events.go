package moduletest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
)

// Publish gives an event to the subscriptions of the module that match and returns when they have handled it, with the errors
// of their handlers. Without such a subscription it is NO_PROVIDER. For a durable subscription handled means at the last of up to
// 5 attempts, with pauses of 1, 2, 4 and 8 seconds; in a testing/synctest bubble they pass at once.
func (h *Harness) Publish(ctx context.Context, topic string, payload []byte) error {
	e, err := h.newEvent(topic, ipc.EncodePayload(payload), "host", "")
	if err != nil {
		return err
	}
	settled := h.outlets.offer("", e)
	if len(settled) == 0 {
		return ipc.Refuse(ipc.CodeNoProvider, "the module has no subscription that matches %q", topic)
	}
	return await(ctx, settled)
}

// await joins what the deliveries of one event come to.
func await(ctx context.Context, settled []<-chan error) error {
	var errs []error
	for _, s := range settled {
		select {
		case err := <-s:
			errs = append(errs, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}

// Events returns what the module has published so far, in order.
func (h *Harness) Events() []module.Event {
	h.events.mu.Lock()
	defer h.events.mu.Unlock()
	return slices.Clone(h.events.all)
}

// AwaitEvent waits for an event of the module whose topic matches pattern, and returns each only once.
func (h *Harness) AwaitEvent(ctx context.Context, pattern string) (*module.Event, error) {
	if err := check(topicPattern, "pattern of topics", pattern); err != nil {
		return nil, err
	}
	for {
		e, more := h.events.take(pattern)
		if e != nil {
			return e, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-h.life.Done():
			return nil, ipc.Refuse(ipc.CodeUnavailable, "the module ended and had not published %s", pattern)
		}
	}
}

// published is what the module has published.
type published struct {
	mu    sync.Mutex
	all   []module.Event
	taken []bool // by AwaitEvent
	more  chan struct{}
}

// take returns the first event that matches and has not been taken, or what is closed when there is another one.
func (p *published) take(pattern string) (*module.Event, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.all {
		if e := p.all[i]; !p.taken[i] && matches(pattern, e.Topic) {
			p.taken[i] = true
			return &e, nil
		}
	}
	if p.more == nil {
		p.more = make(chan struct{})
	}
	return nil, p.more
}

func (p *published) add(e module.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Seq = uint64(len(p.all) + 1)
	p.all, p.taken = append(p.all, e), append(p.taken, false)
	if p.more != nil {
		close(p.more)
		p.more = nil
	}
}

// event serves the host service of that name.
func (h *Harness) event(_ context.Context, req *ipc.Envelope) (any, error) {
	switch req.Method {
	case ipc.MethodPublish:
		p, err := decode[ipc.Publication](req)
		if err != nil {
			return nil, err
		}
		return nil, h.publish(p, traceOf(req))
	case ipc.MethodSubscribe:
		s, err := decode[ipc.Subscription](req)
		if err != nil {
			return nil, err
		}
		if err := check(topicPattern, "pattern of topics", s.Pattern); err != nil {
			return nil, err
		}
		o := &outlet{name: s.Pattern, pattern: s.Pattern, durable: s.Durable != "", buffer: s.Buffer}
		if o.durable {
			o.name = s.Durable + ":" + s.Pattern
		}
		_, err = h.outlets.open(h, o)
		return ipc.Subscribed{Subscription: o.name}, err
	case ipc.MethodUnsubscribe:
		s, err := decode[ipc.Subscribed](req)
		if err != nil {
			return nil, err
		}
		return nil, h.outlets.end(s.Subscription)
	}
	return nil, noMethod(req)
}

// publish keeps what the module publishes, and delivers it to the module's own subscriptions.
func (h *Harness) publish(p ipc.Publication, trace string) error {
	e, err := h.newEvent(p.Topic, p.Payload, h.opts.ID, trace)
	if err != nil {
		return err
	}
	payload, err := p.Payload.Decode()
	if err != nil {
		return err
	}
	h.events.add(module.Event{
		Topic: p.Topic, Payload: payload, Source: h.opts.ID, TraceID: trace, Time: time.Unix(e.Context.Timestamp, 0), Attempt: 1,
	})
	h.outlets.offer("", e)
	return nil
}

func (h *Harness) newEvent(topic string, payload ipc.Payload, source, trace string) (ipc.Event, error) {
	b, err := payload.Decode()
	return ipc.Event{
		Message: ipc.Message{Topic: topic, Payload: payload},
		Context: ipc.Context{TraceID: trace, SourceModule: source, Timestamp: time.Now().Unix()},
	}, cmp.Or(err, check(topicForm, "topic", topic), sizeError(b))
}

// traceOf is the trace id that a request names.
func traceOf(req *ipc.Envelope) string {
	if req.Context == nil {
		return ""
	}
	return req.Context.TraceID
}
