package moduletest

import (
	"context"
	"maps"
	"sync"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
)

// Provide answers what the module calls and sends through its Host under topic, whatever its target, in place of whoever did so
// before. Topics nobody provides are answered NO_PROVIDER. An error that f returns reaches the module as if another module had answered it
// (outcome done), unless it is a *module.Error with an outcome: that is passed on as the supervisor's own.
//
// f runs outside the test's goroutine, so it must not end the test (require); let it return an error.
func (h *Harness) Provide(topic string, f module.HandlerFunc) {
	h.bus.provide(map[string]module.HandlerFunc{topic: f})
}

// bus stands in for all other modules.
type bus struct {
	mu     sync.Mutex
	topics map[string]module.HandlerFunc
}

func (b *bus) provide(topics map[string]module.HandlerFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics == nil {
		b.topics = make(map[string]module.HandlerFunc)
	}
	maps.Copy(b.topics, topics)
}

func (b *bus) find(topic string) module.HandlerFunc {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.topics[topic]
}

// message answers a call, or accepts one that is only sent.
func (h *Harness) message(ctx context.Context, req *ipc.Envelope) (any, error) {
	m, err := decode[ipc.TargetedMessage](req)
	if err != nil {
		return nil, err
	}
	payload, err := m.Payload.Decode()
	if err != nil {
		return nil, err
	}
	f := h.bus.find(m.Topic)
	if f == nil {
		return nil, ipc.Refuse(ipc.CodeNoProvider, "the test provides nothing under %q; see Harness.Provide", m.Topic)
	}
	msg := &module.Message{Topic: m.Topic, Payload: payload, Priority: m.Priority}
	if req.Context != nil {
		msg.Context = *req.Context
	}
	switch req.Method {
	case ipc.MethodSend:
		h.background.Go(func() { _, _ = f(h.life, msg) }) // nobody hears how it ends, as with a supervisor
		return nil, nil
	case ipc.MethodCall:
		answer, err := f(ctx, msg)
		if err != nil {
			return nil, judged(err)
		}
		if answer == nil {
			return nil, nil
		}
		return answer.Data(), nil
	}
	return nil, noMethod(req)
}

// judged gives an error of a fake the outcome and origin that the module sees.
func judged(err error) error {
	e := *ipc.AsError(err, ipc.CodeHandlerError)
	if e.Outcome == "" {
		e.Outcome, e.Origin = ipc.Done, "fake:1.0.0/instance-001"
	}
	if e.Origin == "" {
		e.Origin = ipc.Supervisor
	}
	return &e
}
