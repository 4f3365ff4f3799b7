package module

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// delivery is an event on its way to its handler.
type delivery struct {
	ipc.Event
	payload []byte
}

func (d *delivery) time() time.Time {
	if d.Context.Timestamp == 0 {
		return time.Time{}
	}
	return time.Unix(d.Context.Timestamp, 0)
}

// origin is what a subscription is of: events by pattern, or the keys of a bucket.
type origin struct{ service, bucket, durable, pattern string }

// method returns one of two, as events and kv call the same thing.
func (o origin) method(ofEvents, ofKV string) string {
	if o.service == ipc.ServiceKV {
		return ofKV
	}
	return ofEvents
}

// name is how a host names the subscription.
func (o origin) name() string {
	switch {
	case o.service == ipc.ServiceKV:
		return "kv:" + o.bucket + ":" + o.pattern
	case o.durable != "":
		return o.durable + ":" + o.pattern
	}
	return o.pattern
}

// subscription is one that this process has made.
type subscription struct {
	origin
	handle func(context.Context, *delivery) error
}

// subscriptions finds the handler of a delivered event by the name that the host gave its subscription.
//
// Asking the host to begin or to end one is done by one goroutine at a time, who holds the turn. So an event that overtakes the
// answer to subscribe finds its handler by waiting for the turn, and the end of a leftover of an earlier process cannot
// overtake, and undo, a new beginning of the same.
type subscriptions struct {
	turn chan struct{} // holds one value while somebody asks

	mu     sync.Mutex
	byName map[string]subscription
}

func newSubscriptions() *subscriptions {
	return &subscriptions{turn: make(chan struct{}, 1), byName: make(map[string]subscription)}
}

// find returns the handler of the subscription of that name, or nil.
func (s *subscriptions) find(name string) func(context.Context, *delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byName[name].handle
}

// nameOf returns the name of the subscription of o, if this process has made it.
func (s *subscriptions) nameOf(o origin) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, sub := range s.byName {
		if sub.origin == o {
			return name, true
		}
	}
	return "", false
}

func (s *subscriptions) put(name string, sub subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byName[name] = sub
}

func (s *subscriptions) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byName, name)
}

// takeTurn waits until nobody asks the host for a subscription; the caller must call what it returns.
func (h *Host) takeTurn(ctx context.Context) (giveBack func(), err error) {
	select {
	case h.subs.turn <- struct{}{}:
		return func() { <-h.subs.turn }, nil
	case <-ctx.Done():
		e := ipc.AsError(ctx.Err(), ipc.CodeCancelled)
		return nil, h.failed(e.Code, NotDelivered, "another subscription was still being made: %v", ctx.Err())
	}
}

// subscribe asks the host for a subscription and remembers its handler.
func (h *Host) subscribe(ctx context.Context, o origin, params any, handle func(context.Context, *delivery) error) error {
	giveBack, err := h.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	if _, twice := h.subs.nameOf(o); twice {
		return h.failed(CodeInvalidInput, NotDelivered, "%q has a handler already; end that subscription first", o.pattern)
	}
	result, err := request[ipc.Subscribed](ctx, h, o.service, o.method(ipc.MethodSubscribe, ipc.MethodWatch), params)
	if err != nil {
		return err
	}
	h.subs.put(result.Subscription, subscription{origin: o, handle: handle})
	return nil
}

// unsubscribe ends a subscription; its handler stays until the host sends no more.
func (h *Host) unsubscribe(ctx context.Context, o origin) error {
	giveBack, err := h.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	name, ok := h.subs.nameOf(o)
	if !ok {
		name = o.name() // an earlier process may have made it
	}
	err = h.endSubscription(ctx, o, name)
	if err == nil || IsNotFound(err) {
		h.subs.remove(name)
	}
	return err
}

// endSubscription tells the host to send no more. The caller holds the turn.
func (h *Host) endSubscription(ctx context.Context, o origin, name string) error {
	_, err := h.ask(ctx, o.service, o.method(ipc.MethodUnsubscribe, ipc.MethodUnwatch), ipc.Subscribed{Subscription: name})
	return err
}

// handlerOf returns the handler of a delivered event. A subscription without one was made by an earlier process of the
// instance, or its making failed for this one only. It is ended, unless it is durable: what waits there is not thrown away
// because a module has not come to subscribing yet.
func (h *Host) handlerOf(ctx context.Context, d ipc.Delivery) (func(context.Context, *delivery) error, error) {
	if handle := h.subs.find(d.Subscription); handle != nil {
		return handle, nil
	}
	giveBack, err := h.takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	if handle := h.subs.find(d.Subscription); handle != nil {
		return handle, nil
	}
	none := refuse(CodeUnknownTopic, "this module has no subscription %q", d.Subscription)
	o := origin{service: ipc.ServiceEvents}
	if d.Op != "" {
		o.service = ipc.ServiceKV
	} else if strings.Contains(d.Subscription, ":") { // "durable:pattern"
		Log(ctx).Warn().Str("subscription", d.Subscription).Msg("an event came for a durable subscription that this process has not made; it will come again")
		return nil, none
	}
	err = h.endSubscription(ctx, o, d.Subscription)
	if !IsNotFound(err) { // else it has just been ended, and this event was on its way
		Log(ctx).Warn().Str("subscription", d.Subscription).AnErr("error", err).
			Msg("an event came for a subscription that this process has not made, but maybe an earlier one; it is ended")
	}
	return nil, none
}

// event runs the handler of a delivered event.
func (s *session) event(ctx context.Context, req *ipc.Envelope) error {
	if req.Message == nil || req.Event == nil {
		return refuse(CodeInvalidInput, "an event needs the members message and event")
	}
	payload, err := req.Message.Payload.Decode()
	if err != nil {
		return answerError(err, CodeInvalidInput)
	}
	d := &delivery{Event: ipc.Event{Delivery: *req.Event, Message: *req.Message}, payload: payload}
	if req.Context != nil {
		d.Context = *req.Context
	}
	ctx = &scope{Context: ctx, log: &s.log, handler: true, trace: d.Context.TraceID}
	handle, err := s.host.handlerOf(ctx, d.Delivery)
	if err == nil {
		err = guard(ctx, ipc.CodeHandlerPanic, d.Message.Topic, func() error { return handle(ctx, d) })
	}
	if err != nil {
		return answerError(err, CodeHandlerError)
	}
	return nil
}
