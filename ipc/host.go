package ipc

import (
	"context"
	"slices"
	"time"
)

// What a host asks of a module, in the order of a module's life. A supervisor and a test harness use the same calls.

// Init opens the conversation: it must be the first request. It enables what the module accepted of the offered extensions
// and checks the version it chose; an error is a failed start.
func (c *Conn) Init(ctx context.Context, p InitParams) (*InitResult, error) {
	if slices.Contains(p.Extensions, ExtRaw) {
		c.takes.Store(true) // the module may send an attachment as soon as it has answered
	}
	data, err := c.Call(ctx, &Envelope{
		Type: TypeInit, Protocol: p.Protocol, ModuleID: p.ModuleID, Config: p.Config, Extensions: p.Extensions, MaxFrame: p.MaxFrame,
	}, nil)
	if err != nil {
		return nil, err
	}
	var r InitResult
	if err := data.Unpack(&r); err != nil {
		return nil, Errorf(CodeProtocolError, "the answer to init cannot be decoded: %v", err)
	}
	if r.Protocol == 0 {
		r.Protocol = 1
	}
	if r.Protocol < 1 || r.Protocol > p.Protocol {
		return nil, Errorf(CodeUnsupportedProtocol, "the module chose protocol %d, the host speaks 1 to %d", r.Protocol, p.Protocol)
	}
	r.Extensions = intersect(r.Extensions, p.Extensions)
	c.Enable(r.Extensions, p.MaxFrame)
	return &r, nil
}

// Handle sends a message to the module and returns the answer's data, an object. A message without a TTL gets what is left until ctx's
// deadline, for which the clock is read; its own must not be more than that. mc may be nil; neither it nor m is kept, but for the
// payload, or changed. watch is as in Call.
func (c *Conn) Handle(ctx context.Context, m *Message, mc *Context, watch Watch) (Data, error) {
	limit, _ := ctx.Deadline()
	left := m.left(limit)
	d := c.handle(m, mc, left)
	return c.do(ctx, c.ask(ctx, d, watch), d, left)
}

// left is what is left of the message's time, if that is over at a limit, or never if that is zero.
func (m *Message) left(limit time.Time) time.Duration {
	if m.TTLMS > 0 {
		return duration(m.TTLMS)
	}
	return timeTo(limit)
}

// handle is a message on its way to the module, with the time that is left for it.
func (c *Conn) handle(m *Message, mc *Context, left time.Duration) *decoded {
	d := c.draft()
	d.message = *m
	if mc != nil {
		d.context = *mc
	}
	d.message.TTLMS = ttl(left)
	d.Type, d.Message, d.Context = TypeHandle, &d.message, &d.context
	return d
}

// Health asks the module how it is.
func (c *Conn) Health(ctx context.Context) (*Health, error) {
	data, err := c.Call(ctx, &Envelope{Type: TypeHealthCheck}, nil)
	if err != nil {
		return nil, err
	}
	h := new(Health)
	if err := data.Unpack(h); err != nil {
		return nil, Errorf(CodeProtocolError, "the health answer cannot be decoded: %v", err)
	}
	return h, nil
}

// Event delivers an event and returns when the module has handled it. Errors are those of Call.
func (c *Conn) Event(ctx context.Context, e Event) error {
	d := c.draft()
	d.delivery, d.message, d.context = e.Delivery, e.Message, e.Context
	d.Type, d.Event, d.Message, d.Context = TypeEvent, &d.delivery, &d.message, &d.context
	_, err := c.do(ctx, c.ask(ctx, d, nil), d, timeOf(ctx))
	return err
}

// Shutdown asks the module to finish within grace; it answers last and exits. Handles that wait to be written never are: "The
// host MUST NOT send a handle after shutdown".
func (c *Conn) Shutdown(ctx context.Context, grace time.Duration) error {
	c.update((*state).sayFarewell)
	_, err := c.Call(ctx, &Envelope{Type: TypeShutdown, GraceMS: Milliseconds(grace)}, nil)
	return err
}

// ServiceRequest is what a module asks of its host.
type ServiceRequest struct {
	Service string // one of the Service constants, or another the host has
	Method  string // one of the Method constants
	Params  Data
	Parent  int64 // id of the open handle the request belongs to; 0: none
	TraceID string
	// Until is how long the answer is waited for if ctx runs out of time; default: no longer.
	Until time.Time
}

// Service sends a module's request to its host and returns the answer's data. What is left until ctx's deadline goes along as its TTL.
func (c *Conn) Service(ctx context.Context, r ServiceRequest) (Data, error) {
	d := c.draft()
	left := timeOf(ctx)
	d.Type, d.Service, d.Method, d.Params, d.Parent, d.TTLMS = TypeServiceRequest, r.Service, r.Method, r.Params, r.Parent, ttl(left)
	if r.TraceID != "" {
		d.context.TraceID = r.TraceID
		d.Context = &d.context
	}
	call := c.ask(ctx, d, nil)
	if !r.Until.IsZero() {
		call.limit = r.Until
	}
	return c.do(ctx, call, d, left)
}

func intersect(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(x string) bool { return !slices.Contains(b, x) })
}
