package module

import (
	"context"
	"encoding/json"
	"runtime/debug"
	"slices"

	"github.com/ixtrun/ixt/ipc"
)

// sdk is what the module tells the host about this package, for people.
const sdk = "ixt-go/0.1.0"

// start runs Init and answers what the module can do.
func (s *session) start(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
	in, err := s.runInit(ctx, req)
	defer close(s.started)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.fail(err)
		return ipc.Data{}, err
	}
	s.log, s.topics, s.host, s.limit, s.born = in.Log, &in.topics, in.Host, in.MaxConcurrency, true
	if s.phase == starting {
		s.phase = serving
	}
	accepted := slices.DeleteFunc(slices.Clone(req.Extensions), func(x string) bool { return x != ipc.ExtCancel && x != ipc.ExtRaw })
	s.conn.Enable(accepted, 0)
	return ipc.Pack(&ipc.InitResult{
		Protocol:       min(req.Protocol, ipc.Version),
		SDK:            sdk,
		Extensions:     accepted,
		MaxConcurrency: s.limit,
	})
}

// runInit runs the author's Init if the host's offer can be taken.
func (s *session) runInit(ctx context.Context, req *ipc.Envelope) (*Init, error) {
	if req.Protocol < 1 {
		return nil, refuse(ipc.CodeUnsupportedProtocol, "the host speaks protocol %d at most, this module 1 to %d", req.Protocol, ipc.Version)
	}
	name := req.ModuleID
	if name == "" {
		name = s.opts.ID
	}
	id, err := ipc.ParseModuleID(name)
	if err != nil {
		return nil, refuse(ipc.CodeInvalidInput, "module_id: %v", err)
	}
	s.conn.Enable(nil, req.MaxFrame) // the answers of host services may be that large already
	in := &Init{
		ID:             id,
		Config:         Config{raw: req.Config},
		Host:           &Host{s: s, id: id, subs: newSubscriptions()},
		Log:            s.log.With().Str("module", id.String()).Logger(),
		MaxConcurrency: s.opts.MaxConcurrency,
	}
	log := in.Log
	ctx = &scope{Context: ctx, log: &log}
	err = guard(ctx, ipc.CodeInitFailed, "Init", func() error { return s.module.Init(ctx, in) })
	if problem := in.topics.seal(); err == nil {
		err = problem
	}
	if err == nil && in.MaxConcurrency < 1 {
		err = Errorf(ipc.CodeInitFailed, "Init set MaxConcurrency to %d; it must be at least 1", in.MaxConcurrency)
	}
	if err != nil {
		return nil, initError(err)
	}
	return in, nil
}

// initError is what a failed Init is answered with. The code of a failed call of its own is not passed on: another module's
// CONFIG_INVALID, say, would be taken for this one's.
func initError(err error) error {
	answer := answerError(err, ipc.CodeInitFailed)
	if isNested(err) {
		answer.Code = ipc.CodeInitFailed
	}
	return answer
}

// handle runs the handler of a call.
func (s *session) handle(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
	if req.Message == nil {
		return ipc.Data{}, refuse(ipc.CodeInvalidInput, "a handle has no message")
	}
	payload, err := req.Message.Payload.Decode()
	if err != nil {
		return ipc.Data{}, answerError(err, ipc.CodeInvalidInput)
	}
	call := &struct { // one allocation
		scope
		Message
	}{Message: Message{Topic: req.Message.Topic, Payload: payload, Priority: req.Message.Priority}}
	msg := &call.Message
	if req.Context != nil {
		msg.Context = *req.Context
	}
	call.scope = scope{Context: ctx, log: &s.log, handler: true, trace: msg.Context.TraceID, id: req.ID, msg: msg}
	ctx = &call.scope

	handler := s.topics.handlers[msg.Topic]
	if handler == nil {
		handler = s.module.Handle
	}
	var answer *Response
	err = guard(ctx, ipc.CodeHandlerPanic, msg.Topic, func() (err error) {
		answer, err = handler(ctx, msg)
		return err
	})
	switch {
	case err != nil:
		return ipc.Data{}, answerError(err, ipc.CodeHandlerError)
	case answer == nil:
		return ipc.Data{}, nil
	}
	return answer.data, nil
}

// health asks the module how it is. A module that cannot say is not healthy.
func (s *session) health(ctx context.Context) ipc.Data {
	ctx = &scope{Context: ctx, log: &s.log}
	var data json.RawMessage
	err := guard(ctx, ipc.CodeHandlerPanic, "Health", func() (err error) {
		data, err = json.Marshal(s.module.Health(ctx))
		return err
	})
	if err != nil {
		data, _ = json.Marshal(Health{Ready: true, Reason: answerError(err, ipc.CodeHandlerError).Message}) // nothing in it can fail
	}
	return ipc.ObjectData(data)
}

// guard runs the author's code and turns a panic into an error; its stack goes to the log.
func guard(ctx context.Context, code, name string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			Log(ctx).Error().Str("stack", string(debug.Stack())).Msgf("%s panicked: %v", name, v)
			err = Errorf(code, "%s panicked: %v", name, v)
		}
	}()
	return f()
}
