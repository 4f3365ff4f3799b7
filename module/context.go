package module

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/ixtrun/ixt/ipc"
)

// scope is a ctx of this package. It knows the module's logger and, in a handler, what it serves.
type scope struct {
	context.Context
	log     *zerolog.Logger
	handler bool     // of a call or an event: its deadline is when nobody hears its answer any more
	trace   string   // of the call or the event
	id      int64    // of the handle; 0 outside handlers of calls
	msg     *Message // nil outside handlers of calls
}

type scopeKey struct{}

// Value lets scopeOf find the scope from any ctx below it.
func (s *scope) Value(key any) any {
	if key == (scopeKey{}) {
		return s
	}
	return s.Context.Value(key)
}

// AfterFunc lets package context hang a ctx below this one without a goroutine that waits for it.
func (s *scope) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(s.Context, f) }

// Ends are the parts of the request that is served: ipc.Parted. Its Done would cost it a timer.
func (s *scope) Ends() (first, second <-chan struct{}, limit time.Time) { return ipc.Ends(s.Context) }

// limit is when the time of a handler is over; zero: never.
func (s *scope) limit() (limit time.Time) {
	if s.handler {
		limit, _ = s.Deadline()
	}
	return limit
}

func scopeOf(ctx context.Context) *scope {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		return s
	}
	return &scope{}
}

// MessageFrom returns the call that ctx belongs to, nil outside handlers of calls: what a HandleJSON function needs to see
// the caller, the call's id or its priority.
func MessageFrom(ctx context.Context) *Message { return scopeOf(ctx).msg }

// TraceID returns the trace id of the call or the event that ctx belongs to, "" outside handlers.
func TraceID(ctx context.Context) string { return scopeOf(ctx).trace }

// Log returns the module's logger; in a handler its lines carry the trace_id. A ctx that does not come from this
// package has a logger that writes nothing.
func Log(ctx context.Context) *zerolog.Logger {
	s := scopeOf(ctx)
	if s.log == nil {
		nop := zerolog.Nop()
		return &nop
	}
	if s.trace == "" {
		return s.log
	}
	log := s.log.With().Str("trace_id", s.trace).Logger()
	return &log
}

// addressing is what a ctx says about the Host calls that are made with it.
type addressing struct {
	priority Priority
	target   string
}

type addressingKey struct{}

func addressingOf(ctx context.Context) addressing {
	a, _ := ctx.Value(addressingKey{}).(addressing)
	return a
}

// WithPriority returns a ctx whose Host calls have the given priority; without it they are Normal.
func WithPriority(ctx context.Context, p Priority) context.Context {
	a := addressingOf(ctx)
	a.priority = p
	return context.WithValue(ctx, addressingKey{}, a)
}

// WithTarget returns a ctx whose Host.Call and Host.Send go to one module only: "name", "name:version" or
// "name:version/instance-002". A target that nobody is, is answered NO_PROVIDER. "" is whoever provides the topic, as without it.
func WithTarget(ctx context.Context, target string) context.Context {
	a := addressingOf(ctx)
	a.target = target
	return context.WithValue(ctx, addressingKey{}, a)
}
