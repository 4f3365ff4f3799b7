package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// Service is something the host offers its modules beside calls to each other: docs/protocol.md, "service_request".
// Implementations must be safe for concurrent use.
type Service interface {
	// Name is what a module puts into "service".
	Name() string
	// Call serves one request. Its ctx ends with the request's ttl, with its cancellation and with its caller's connection.
	// The result is a JSON object. An error that is not an *ipc.Error becomes HANDLER_ERROR.
	Call(ctx context.Context, caller Caller, method string, params json.RawMessage) (json.RawMessage, error)
}

// Caller is the instance that asks a Service.
type Caller struct {
	ID      ipc.ModuleID
	Module  *manifest.Module // its rights are in Requires
	TraceID string           // "" if the request named none
	parent  *flight          // the open call in whose handling it asks; nil if none
}

// serve answers what an instance asks of the host.
func (s *Supervisor) serve(ctx context.Context, in *instance, req *ipc.Envelope) (json.RawMessage, error) {
	if req.Type != ipc.TypeServiceRequest {
		return nil, ipc.UnknownType(req)
	}
	service := s.services[req.Service]
	if service == nil {
		names := make([]string, 0, len(s.services))
		for name := range s.services {
			names = append(names, name)
		}
		sort.Strings(names)
		return nil, hostError(ipc.CodeNoProvider, "this host has no service %q; it has %s", req.Service, strings.Join(names, ", "))
	}
	caller := Caller{ID: in.id, Module: in.module}
	if req.Context != nil {
		caller.TraceID = req.Context.TraceID
	}
	if req.Parent != 0 {
		open, ok := in.flights.Load(req.Parent)
		if !ok {
			return nil, hostError(ipc.CodeCancelled, "the request belongs to handle %d, which is not open any more", req.Parent)
		}
		caller.parent = open.(*flight)
		var cancel context.CancelFunc
		ctx, cancel = within(ctx, caller.parent.ctx)
		defer cancel()
	}
	data, err := service.Call(ctx, caller, req.Method, req.Params)
	if err != nil {
		e := *ipc.AsError(err, ipc.CodeHandlerError)
		if e.Origin == "" {
			e.Origin = ipc.Supervisor
		}
		return nil, &e
	}
	return data, nil
}

// within returns ctx limited by parent's deadline and cancellation: a child never outlives its parent.
func within(ctx, parent context.Context) (context.Context, context.CancelFunc) {
	var cancel context.CancelFunc
	if deadline, limited := parent.Deadline(); limited {
		ctx, cancel = context.WithDeadline(ctx, deadline)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	stop := context.AfterFunc(parent, func() {
		if !errors.Is(parent.Err(), context.DeadlineExceeded) { // then the child's own deadline has come, too
			cancel()
		}
	})
	return ctx, func() { stop(); cancel() }
}

func hostError(code, format string, args ...any) *ipc.Error {
	e := ipc.Errorf(code, format, args...)
	e.Origin = ipc.Supervisor
	if e.Outcome == ipc.Unknown || e.Outcome == "" {
		e.Outcome = ipc.NotDelivered
	}
	return e
}

// messageBus is the service by which modules call each other's topics.
type messageBus struct{ s *Supervisor }

func (messageBus) Name() string { return ipc.ServiceMessageBus }

func (b messageBus) Call(ctx context.Context, caller Caller, method string, params json.RawMessage) (json.RawMessage, error) {
	if method != ipc.MethodCall {
		return nil, hostError(ipc.CodeUnknownType, "%s has no method %q; it has %q", ipc.ServiceMessageBus, method, ipc.MethodCall)
	}
	var m ipc.Message
	if err := json.Unmarshal(params, &m); err != nil {
		return nil, hostError(ipc.CodeInvalidInput, "the params of %s.%s cannot be decoded: %v", ipc.ServiceMessageBus, method, err)
	}
	if !b.s.opts.Open && !caller.Module.Allows(m.Topic) {
		b.s.journal.add(Entry{Kind: KindRefused, Module: caller.ID.Name, Instance: caller.ID.Instance,
			Text: "called a topic its manifest does not require", Topic: m.Topic, Code: ipc.CodeDenied})
		return nil, hostError(ipc.CodeDenied, "%s", denied(caller.Module, m.Topic))
	}
	f := &flight{msg: m, parent: caller.parent, mc: newContext(caller.ID.Module(), caller.TraceID)}
	if p := caller.parent; p != nil {
		f.depth = p.depth + 1
		if caller.TraceID == "" {
			f.mc.TraceID = p.mc.TraceID
		}
	}
	return b.s.router.call(ctx, f)
}

// denied names the line that would allow the call.
func denied(m *manifest.Module, topic string) string {
	quoted := make([]string, 0, len(m.Requires.Services)+1)
	for _, s := range append(append([]string{}, m.Requires.Services...), topic) {
		quoted = append(quoted, fmt.Sprintf("%q", s))
	}
	return fmt.Sprintf("%s may not call %s; put this under [requires] in %s: services = [%s]  (for experiments: ixt run --open)",
		m.Name, topic, m.File, strings.Join(quoted, ", "))
}
