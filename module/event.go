package module

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// Event is something that a module has published, as a subscriber sees it.
type Event struct {
	Topic   string
	Payload []byte
	Source  string    // who published it, "name:version/instance-001"
	TraceID string    // of the call or the event in whose handling it was published
	Time    time.Time // when it was published, to the second; zero if nobody said
	Seq     uint64    // counts the events of the subscription, from 1
	Lost    uint64    // how many were dropped since the one before, because they came faster than they were handled
	Attempt int       // from 1; more than 1 only with Durable
}

// Decode decodes the JSON that the event carries into v. Members that v does not have are ignored, so that a publisher may add
// some. The error is INVALID_INPUT and says what was expected.
func (e *Event) Decode(v any) error {
	if err := json.Unmarshal(e.Payload, v); err != nil {
		return Errorf(CodeInvalidInput, "%s: %s", e.Topic, describeInput(err, v))
	}
	return nil
}

// Publish tells every subscriber of topic about payload, which has at most 1 MiB. It returns when the host has the event, and has
// stored it if a durable subscription waits for it; no subscriber has handled it then, and there need not be any. The
// manifest's [provides] events has to name the topic.
func (h *Host) Publish(ctx context.Context, topic string, payload []byte) error {
	_, err := h.ask(ctx, ipc.ServiceEvents, ipc.MethodPublish, &ipc.Publication{Topic: topic, Payload: ipc.EncodePayload(payload)})
	return err
}

// PublishJSON is Publish for a value that travels as JSON.
func PublishJSON(ctx context.Context, host *Host, topic string, v any) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return host.failed(CodeInvalidInput, NotDelivered, "the event %s cannot be encoded: %v", topic, err)
	}
	return host.Publish(ctx, topic, payload)
}

// SubscribeOption says how events are to be delivered.
type SubscribeOption func(*ipc.Subscription)

// Durable gives the subscription a name by which the host keeps it: events are stored until they are handled, also while the
// module does not run, and delivered at least once. One whose handler fails comes again, up to 5 times in all, with growing
// pauses. Event.Attempt tells.
func Durable(name string) SubscribeOption { return func(s *ipc.Subscription) { s.Durable = name } }

// Group lets only one instance of the module have each event. Without it every instance has all of them.
func Group() SubscribeOption { return func(s *ipc.Subscription) { s.Group = true } }

// FromKept lets a new durable subscription begin with the events that another one still waits for.
func FromKept() SubscribeOption { return func(s *ipc.Subscription) { s.From = ipc.FromKept } }

// Buffer is how many events may wait for a handler, 1 to 65536; when one more comes the oldest is dropped and counted in
// Event.Lost. Default: 256. A durable subscription has no buffer: its events are stored.
func Buffer(n int) SubscribeOption { return func(s *ipc.Subscription) { s.Buffer = n } }

// Subscribe calls f for every event whose topic matches pattern, in which "*" stands for one segment and ">", at the end, for all
// that follow. The manifest's [requires] events has to cover the pattern.
//
// f gets one event at a time, in order, beside calls and other subscriptions, and not before Init has returned. It should return
// soon after its ctx ends: when the module must stop, or the host wants no answer any more. An error of f, or a panic, says that
// the event could not be handled: it is logged or, with Durable, delivered again.
//
// A process has one subscription of a pattern, and one more for each Durable name: another is INVALID_INPUT, until Unsubscribe.
// After a restart the module subscribes again, as in Init; the host keeps what came meanwhile. A subscription that only an
// earlier process has made is ended when its next event comes; a durable one stays, and its events come again until they are
// given up.
func (h *Host) Subscribe(ctx context.Context, pattern string, f func(ctx context.Context, e *Event) error, opts ...SubscribeOption) error {
	if f == nil {
		return h.failed(CodeInvalidInput, NotDelivered, "the handler of %q is nil", pattern)
	}
	params := subscriptionOf(pattern, opts)
	return h.subscribe(ctx, originOf(params), params, func(ctx context.Context, d *delivery) error {
		return f(ctx, &Event{
			Topic: d.Message.Topic, Payload: d.payload, Source: d.Context.SourceModule, TraceID: d.Context.TraceID,
			Time: d.time(), Seq: d.Seq, Lost: d.Lost, Attempt: max(d.Context.Attempt, 1),
		})
	})
}

// Unsubscribe ends the subscription of pattern, a durable one with all that waits for it; that is named by Durable, as in
// Subscribe, and other options do not matter. An event that is being handled is handled to its end; f itself may call it.
// NOT_FOUND means that there is no such subscription.
func (h *Host) Unsubscribe(ctx context.Context, pattern string, opts ...SubscribeOption) error {
	return h.unsubscribe(ctx, originOf(subscriptionOf(pattern, opts)))
}

func subscriptionOf(pattern string, opts []SubscribeOption) ipc.Subscription {
	s := ipc.Subscription{Pattern: pattern}
	for _, opt := range opts {
		opt(&s)
	}
	return s
}

func originOf(s ipc.Subscription) origin {
	return origin{service: ipc.ServiceEvents, durable: s.Durable, pattern: s.Pattern}
}
