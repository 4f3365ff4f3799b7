package supervisor

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
	Call(ctx context.Context, caller Caller, method string, params ipc.Data) (ipc.Data, error)
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

// Site is where an Engine finds itself. Its functions are for concurrent use, until the engine is closed.
type Site struct {
	StateDir string             // the supervisor's, which it has locked
	Note     func(Entry)        // adds to the journal
	Modules  []*manifest.Module // all that the supervisor has
	// Serve answers a call that comes from another supervisor; topics that are not exported are NO_PROVIDER.
	Serve func(context.Context, RemoteCall) (ipc.Data, error)
}

func (s *Supervisor) site() Site {
	site := Site{StateDir: s.state.Path(), Note: s.journal.add, Serve: s.serveRemote}
	for _, u := range s.units {
		site.Modules = append(site.Modules, u.m)
	}
	return site
}

// Caller is who asks a Service: an instance, or somebody outside. It may be kept: it stands for one process, until that is gone.
type Caller struct {
	ID      ipc.ModuleID
	Module  *manifest.Module // its rights are in Requires
	TraceID string           // the request's own, else that of the call it belongs to; "" if there is none
	parent  *flight          // the open call in whose handling it asks; nil if none
	reach   reach
	open    bool // everything is allowed
}

// reach is the way back to a caller.
type reach interface {
	Event(context.Context, ipc.Event) error
	Done() <-chan struct{}
}

// Source is what an event or a call of the caller names as its source.
func (c Caller) Source() string {
	if c.ID.Name == fromHost {
		return fromHost
	}
	return c.ID.String()
}

// Gone is closed when the caller takes nothing any more.
func (c Caller) Gone() <-chan struct{} { return c.reach.Done() }

// Deliver hands an event to the caller and returns when it has been handled. An error with origin ipc.FromModule is the
// handler's; UNAVAILABLE means that it was not delivered, any other that nothing is known.
func (c Caller) Deliver(ctx context.Context, e ipc.Event) error { return c.reach.Event(ctx, e) }

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
	return ipc.Refuse(ipc.CodeDenied, "%s may not %s; put this under [%s] in %s: %s = [%s]  (for experiments: ixt run --open)",
		c.Module.Name, what, section, c.Module.File, key, strings.Join(quoted, ", "))
}

// caller is a process as services see it.
func (s *Supervisor) caller(in *instance, p *incarnation) Caller {
	return Caller{ID: in.id, Module: in.module, reach: p.talk, open: s.opts.Open}
}

// retire says that a caller is over: what comes under its number again is another one.
func (s *Supervisor) retire(id ipc.ModuleID) {
	if s.opts.Engine != nil {
		s.opts.Engine.Retired(id)
	}
}

// serve answers what a process asks of the host.
func (s *Supervisor) serve(ctx context.Context, in *instance, p *incarnation, req *ipc.Envelope) (ipc.Data, error) {
	if req.Type != ipc.TypeServiceRequest {
		return ipc.Data{}, ipc.UnknownType(req)
	}
	caller, err := s.asking(in, p, req)
	if err != nil {
		return ipc.Data{}, err
	}
	if caller.parent != nil {
		term := newTerm(ctx, &caller.parent.term) // a child never outlives its parent
		defer term.end()
		ctx = term
	}
	return s.use(ctx, caller, req.Service, req.Method, req.Params)
}

// asking is the caller of a request.
func (s *Supervisor) asking(in *instance, p *incarnation, req *ipc.Envelope) (Caller, error) {
	caller := s.caller(in, p)
	if req.Context != nil {
		caller.TraceID = req.Context.TraceID
	}
	if req.Parent == 0 {
		return caller, nil
	}
	parent, open := p.talk.Watching(req.Parent).(interface{ of() *flight })
	if !open {
		return caller, ipc.Refuse(ipc.CodeCancelled, "the request belongs to handle %d, which is not open any more", req.Parent)
	}
	if caller.parent = parent.of(); caller.TraceID == "" {
		caller.TraceID = strings.Clone(caller.parent.mc.TraceID)
	}
	return caller, nil
}

// use asks a service.
func (s *Supervisor) use(ctx context.Context, caller Caller, name, method string, params ipc.Data) (ipc.Data, error) {
	service := s.services[name]
	if service == nil {
		names := slices.Sorted(maps.Keys(s.services))
		return ipc.Data{}, ipc.Refuse(ipc.CodeNoProvider, "this host has no service %q; it has %s", name, strings.Join(names, ", "))
	}
	data, err := service.Call(ctx, caller, method, params)
	if err != nil {
		e := *ipc.AsError(err, ipc.CodeHandlerError)
		if e.Origin == "" {
			e.Origin = ipc.Supervisor
		}
		return ipc.Data{}, &e
	}
	return data, nil
}
