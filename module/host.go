package module

import (
	"context"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// verdictTime is how long after a call's deadline the supervisor's own verdict is awaited: it alone knows whether a call
// that ran out of time was ever delivered.
const verdictTime = 100 * time.Millisecond

// Host is what the supervisor offers a module: calls of other modules, events (Publish, Subscribe), state (KV) and blobs (Blob).
// It works from Init to the end of Shutdown and is safe for concurrent use.
//
// Every method's ctx bounds the request; one made with a handler's ctx belongs to that handler's call: it shares its trace id,
// ends with it and counts as nested in it. Errors are *Error; OutcomeOf tells whether repeating is safe.
type Host struct {
	s    *session
	id   ModuleID
	subs *subscriptions
}

// Call asks another module, or this one, by topic and waits for the answer. Without a deadline in ctx the topic's own
// timeout holds. WithPriority and WithTarget say more about the call.
func (h *Host) Call(ctx context.Context, topic string, payload []byte) (*Response, error) {
	data, err := h.message(ctx, ipc.MethodCall, topic, payload)
	if err != nil {
		return nil, err
	}
	return &Response{data}, nil
}

// Send is a Call without an answer: it returns when the supervisor has accepted the call, which then goes on by itself,
// bounded by the topic's timeout, also after the handler that sent it has returned. How it ends is in the supervisor's
// journal and nowhere else.
func (h *Host) Send(ctx context.Context, topic string, payload []byte) error {
	_, err := h.message(ctx, ipc.MethodSend, topic, payload)
	return err
}

func (h *Host) message(ctx context.Context, method, topic string, payload []byte) (ipc.Data, error) {
	to := addressingOf(ctx)
	return h.ask(ctx, ipc.ServiceMessageBus, method, &ipc.TargetedMessage{
		Message: ipc.Message{Topic: topic, Payload: ipc.EncodePayload(payload), Priority: to.priority},
		Target:  to.target,
	})
}

// request asks a host service for a Result.
func request[Result any](ctx context.Context, h *Host, service, method string, params any) (Result, error) {
	var result Result
	data, err := h.ask(ctx, service, method, params)
	if err != nil {
		return result, err
	}
	if err := data.Unpack(&result); err != nil {
		return result, h.failed(ipc.CodeProtocolError, Done, "the answer of %s.%s cannot be decoded: %v", service, method, err)
	}
	return result, nil
}

// ask is service for params that have yet to be encoded.
func (h *Host) ask(ctx context.Context, service, method string, params any) (ipc.Data, error) {
	encoded, err := ipc.Pack(params)
	if err != nil {
		return ipc.Data{}, h.failed(CodeInvalidInput, NotDelivered, "the params of %s.%s cannot be encoded: %v", service, method, err)
	}
	return h.service(ctx, service, method, encoded)
}

// service asks a host service; every one goes through here.
func (h *Host) service(ctx context.Context, service, method string, params ipc.Data) (ipc.Data, error) {
	scope := scopeOf(ctx)
	req := ipc.ServiceRequest{Service: service, Method: method, Params: params, TraceID: scope.trace}
	if h.s.conn.Serves(scope.id) {
		req.Parent = scope.id
	}
	if deadline, ok := ctx.Deadline(); ok {
		req.Until = deadline.Add(verdictTime)
		if by := scope.limit(); !by.IsZero() && by.Before(req.Until) {
			req.Until = by // when nobody hears the verdict any more
		}
	}
	data, err := h.s.conn.Service(ctx, req)
	if err == nil {
		return data, nil
	}
	e := *ipc.AsError(err, CodeHandlerError)
	if e.Origin == "" {
		e.Origin = h.id.String() // this side ended the call, the supervisor never judged it
	}
	return ipc.Data{}, &e
}

// failed is the error of a call that this side ended.
func (h *Host) failed(code string, outcome Outcome, format string, args ...any) error {
	e := ipc.Errorf(code, format, args...)
	e.Outcome, e.Origin = outcome, h.id.String()
	return e
}
