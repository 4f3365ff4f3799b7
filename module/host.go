package module

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// verdictTime is how long after a call's deadline the supervisor's own verdict is awaited: it alone knows whether a call
// that ran out of time was ever delivered.
const verdictTime = 100 * time.Millisecond

// Host is what the supervisor offers a module. It works from Init to the end of Shutdown and is safe for concurrent use.
//
// Every method's ctx bounds the call; one made with a handler's ctx belongs to that handler's call: it shares its trace id,
// ends with it and counts as nested in it.
type Host struct {
	s  *session
	id ModuleID
}

// Call asks another module, or this one, by topic and waits for the answer. Without a deadline in ctx the topic's own
// timeout holds. The error is an *Error; OutcomeOf tells whether repeating the call is safe.
func (h *Host) Call(ctx context.Context, topic string, payload []byte) (*Response, error) {
	params, err := json.Marshal(ipc.Message{Topic: topic, Payload: ipc.EncodePayload(payload), Priority: priorityOf(ctx)})
	if err != nil {
		return nil, h.failed(CodeInvalidInput, NotDelivered, "the call of %s cannot be encoded: %v", topic, err)
	}
	data, err := h.service(ctx, ipc.ServiceMessageBus, ipc.MethodCall, params)
	if err != nil {
		return nil, err
	}
	return &Response{Data: data}, nil
}

// service asks a host service; every one goes through here.
func (h *Host) service(ctx context.Context, service, method string, params json.RawMessage) (json.RawMessage, error) {
	scope := scopeOf(ctx)
	req := ipc.ServiceRequest{Service: service, Method: method, Params: params, TraceID: TraceID(ctx)}
	if h.s.isOpen(scope.id) {
		req.Parent = scope.id
	}
	wait, stop := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil {
		req.TTL = max(time.Until(deadline), 1)
		wait, stop = pastDeadline(ctx, deadline, scope.deadline)
	}
	defer stop()
	data, err := h.s.conn.Service(wait, req)
	if err == nil {
		return data, nil
	}
	e := *ipc.AsError(err, CodeHandlerError)
	if e.Origin == "" {
		e.Origin = h.id.String() // this side ended the call, the supervisor never judged it
	}
	return nil, &e
}

// pastDeadline returns a ctx like ctx that leaves time for the verdict, but not beyond the deadline of the handler that
// asks: nobody would hear it.
func pastDeadline(ctx context.Context, deadline, handler time.Time) (context.Context, context.CancelFunc) {
	until := deadline.Add(verdictTime)
	if !handler.IsZero() && handler.Before(until) {
		until = handler
	}
	wait, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
	unhook := context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel()
		}
	})
	return wait, func() { unhook(); cancel() }
}

// failed is the error of a call that this side ended.
func (h *Host) failed(code string, outcome Outcome, format string, args ...any) error {
	e := ipc.Errorf(code, format, args...)
	e.Outcome, e.Origin = outcome, h.id.String()
	return e
}
