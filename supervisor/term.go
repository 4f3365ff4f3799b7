package supervisor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// term is the time that something has: a ctx that ends with one or two others, at a limit, and when end is called. ipc waits for it
// by its parts (Ends), which costs nothing; only for others is it made of what package context has.
type term struct {
	first, second context.Context // second may be nil
	limit         time.Time       // not after theirs; zero: none

	mu   sync.Mutex
	over bool  // end has been called
	err  error // what Err has said; it says so again
	full *full // nil: nobody has needed it

	bound map[*ipc.Pending]struct{} // what ends with it
}

// full is a term as package context has it.
type full struct {
	context.Context
	stop context.CancelFunc
}

// newTerm returns the time that is left by first and by second, which may be nil. A term as first is not ended before this one.
func newTerm(first, second context.Context) *term {
	t := new(term)
	t.begin(first, second)
	return t
}

// begin is newTerm for a term that is part of something.
func (t *term) begin(first, second context.Context) {
	t.first, t.second = first, second
	t.limit, _ = first.Deadline()
	if above, is := first.(*term); is && second == nil {
		t.first, t.second = above.first, above.second
	}
	if second != nil {
		deadline, _ := second.Deadline()
		t.shorten(deadline)
	}
}

// shorten makes limit the term's, unless it is zero or the term ends before. Nobody may look at it meanwhile.
func (t *term) shorten(limit time.Time) {
	if !limit.IsZero() && (t.limit.IsZero() || limit.Before(t.limit)) {
		t.limit = limit
	}
}

// Deadline is the limit.
func (t *term) Deadline() (time.Time, bool) { return t.limit, !t.limit.IsZero() }

// Value is the first ctx's.
func (t *term) Value(key any) any { return t.first.Value(key) }

// Err says why the term is over, nil while it is not.
func (t *term) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = t.reason()
	}
	return t.err
}

func (t *term) reason() error {
	switch {
	case t.late():
		return context.DeadlineExceeded
	case t.first.Err() != nil:
		return t.first.Err()
	case t.second != nil && t.second.Err() != nil:
		return t.second.Err()
	case t.over:
		return context.Canceled
	}
	return nil
}

func (t *term) late() bool { return !t.limit.IsZero() && time.Until(t.limit) <= 0 }

// Ends are the parts that may end the term while somebody waits.
func (t *term) Ends() (first, second <-chan struct{}, limit time.Time) {
	first, second, _ = ipc.Ends(t.first)
	if t.second != nil { // and a request of a module has but one part
		second = t.second.Done()
	}
	return first, second, t.limit
}

// Done is closed when the term is over.
func (t *term) Done() <-chan struct{} { return t.whole().Done() }

// AfterFunc lets package context hang a ctx below this one without a goroutine that waits for it.
func (t *term) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(t.whole(), f) }

// whole is the term as package context has it.
func (t *term) whole() context.Context {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full == nil {
		t.full = t.build()
		if t.over {
			t.full.stop()
		}
	}
	return t.full
}

func (t *term) build() *full {
	var ctx context.Context
	var cancel context.CancelFunc
	if t.limit.IsZero() {
		ctx, cancel = context.WithCancel(t.first)
	} else {
		ctx, cancel = context.WithDeadline(t.first, t.limit)
	}
	if t.second == nil {
		return &full{ctx, cancel}
	}
	unhook := context.AfterFunc(t.second, func() {
		if !errors.Is(t.second.Err(), context.DeadlineExceeded) { // then the own limit has come, too
			cancel()
		}
	})
	return &full{ctx, func() { unhook(); cancel() }}
}

// end ends the term, if it is not over already. What runs out of time with it does so by itself, and is told that.
func (t *term) end() {
	t.mu.Lock()
	if t.over = true; t.full != nil && !t.late() {
		t.full.stop()
	}
	bound := t.bound
	t.bound = nil
	t.mu.Unlock()
	for p := range bound {
		p.Abandon(context.Canceled)
	}
}

// bind lets a call end when end is called; false if it has been.
func (t *term) bind(p *ipc.Pending) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return false
	}
	if t.bound == nil {
		t.bound = map[*ipc.Pending]struct{}{}
	}
	t.bound[p] = struct{}{}
	return true
}

// unbind is the inverse of bind; false if the call may be ended nevertheless: end has been called.
func (t *term) unbind(p *ipc.Pending) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.bound, p)
	return !t.over
}
