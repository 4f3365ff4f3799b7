package module

import (
	"context"
	"time"

	"github.com/rs/zerolog"
)

// scope is what a ctx of this package carries: the module's logger and, in a handler, the call it serves.
type scope struct {
	log      *zerolog.Logger
	id       int64 // of the handle; 0 outside handlers
	deadline time.Time
	msg      *Message
}

type scopeKey struct{}

func withScope(ctx context.Context, s *scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

func scopeOf(ctx context.Context) *scope {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		return s
	}
	return &scope{}
}

// MessageFrom returns the call that ctx belongs to, nil outside handlers: what a HandleJSON function needs to see the
// caller, the call's id or its priority.
func MessageFrom(ctx context.Context) *Message { return scopeOf(ctx).msg }

// TraceID returns the trace id of the call that ctx belongs to, "" outside handlers.
func TraceID(ctx context.Context) string {
	if m := MessageFrom(ctx); m != nil {
		return m.Context.TraceID
	}
	return ""
}

// Log returns the module's logger; in a handler its lines carry the call's trace_id. A ctx that does not come from this
// package has a logger that writes nothing.
func Log(ctx context.Context) *zerolog.Logger {
	s := scopeOf(ctx)
	if s.log == nil {
		nop := zerolog.Nop()
		return &nop
	}
	id := TraceID(ctx)
	if id == "" {
		return s.log
	}
	log := s.log.With().Str("trace_id", id).Logger()
	return &log
}

type priorityKey struct{}

// WithPriority returns a ctx whose Host calls have the given priority; without it they are Normal.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

func priorityOf(ctx context.Context) Priority {
	p, _ := ctx.Value(priorityKey{}).(Priority)
	return p
}
