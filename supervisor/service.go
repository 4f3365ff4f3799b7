package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// Service is something the host offers its modules: docs/protocol.md, "service_request".
// Implementations must be safe for concurrent use.
type Service interface {
	// Name is what a module puts into "service".
	Name() string
	// Call serves one request. Its ctx ends with the request's ttl, with its cancellation and with its caller's connection.
	// The result is a JSON object. An error that is not an *ipc.Error becomes HANDLER_ERROR.
	Call(ctx context.Context, caller Caller, method string, params json.RawMessage) (json.RawMessage, error)
}

// Engine is what stands behind services that keep something: the supervisor opens it before the first module starts and closes
// it after the last one has ended.
type Engine interface {
	// Services are offered to modules beside the supervisor's own. It is asked once, before Open.
	Services() []Service
	// Open makes the services ready to be asked; an error is one of Run. Its ctx ends when Run is told to stop.
	Open(ctx context.Context, site Site) error
	// Ready says that an instance takes calls from now on.
	Ready(Caller)
	// Retired says that an instance has ended and is not started again by itself: what was kept for it alone can go.
	Retired(ipc.ModuleID)
	// Close ends everything within a bounded time.
	Close() error
}

// Site is where an Engine finds itself.
type Site struct {
	StateDir string      // the supervisor's, which it has locked
	Note     func(Entry) // adds to the journal
}

// Caller is the instance that asks a Service. It may be kept: it stands for one process, until that is gone.
type Caller struct {
	ID      ipc.ModuleID
	Module  *manifest.Module // its rights are in Requires
	TraceID string           // "" if the request named none
	parent  *flight          // the open call in whose handling it asks; nil if none
	process *incarnation
	open    bool // everything is allowed
}

// Gone is closed when the caller's process takes nothing any more.
func (c Caller) Gone() <-chan struct{} { return c.process.talk.Done() }

// Deliver hands an event to the caller and returns when it has been handled. An error with origin ipc.FromModule is the
// handler's; UNAVAILABLE means that it was not delivered, any other that nothing is known.
func (c Caller) Deliver(ctx context.Context, e ipc.Event) error { return c.process.talk.Event(ctx, e) }

// Deny is a DENIED error unless allowed, or everything is. need and values are the line of [requires] or [provides] that
// allows it, by its section, key and present values.
func (c Caller) Deny(allowed bool, what, section, key string, values []string, missing string) error {
	if allowed || c.open {
		return nil
	}
	quoted := make([]string, 0, len(values)+1)
	for _, v := range append(append([]string{}, values...), missing) {
		quoted = append(quoted, fmt.Sprintf("%q", v))
	}
	return hostError(ipc.CodeDenied, "%s may not %s; put this under [%s] in %s: %s = [%s]  (for experiments: ixt run --open)",
		c.Module.Name, what, section, c.Module.File, key, strings.Join(quoted, ", "))
}

// caller is a process as services see it.
func (s *Supervisor) caller(in *instance, p *incarnation) Caller {
	return Caller{ID: in.id, Module: in.module, process: p, open: s.opts.Open}
}

// serve answers what a process asks of the host.
func (s *Supervisor) serve(ctx context.Context, in *instance, p *incarnation, req *ipc.Envelope) (json.RawMessage, error) {
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
	caller := s.caller(in, p)
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
