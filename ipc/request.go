package ipc

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Request is one of the peer's requests until it is answered, and the ctx of who serves it. What the standard library would make for
// that costs several allocations and a timer each; here, a channel and a timer come with the first who asks for Done.
type Request struct {
	*decoded // until it is answered
	conn     *Conn
	batch    *Batch    // of the reading goroutine that serves it; nil: another one does
	limit    time.Time // when its time is over; zero: never
	waits    bool      // its answer waits for room in the queue; of who answers

	mu    sync.Mutex
	err   error // why it ended
	done  chan struct{}
	timer *time.Timer
	hooks []*func() // what AfterFunc was given
	bound *Pending  // what Bind was given
}

// Deadline is when the request's TTL is over.
func (r *Request) Deadline() (time.Time, bool) { return r.limit, !r.limit.IsZero() }

// Value knows nothing.
func (r *Request) Value(any) any { return nil }

// Done is closed when the request's time is over, when the peer cancels it, and when it is answered or cannot be any more.
func (r *Request) Done() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchTime()
	return r.ended()
}

// Ends is what Done is made of: it lets whoever waits for the time himself do without a timer.
func (r *Request) Ends() (ended, _ <-chan struct{}, limit time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended(), nil, r.limit
}

// ended is closed when the request ends by something else than its time, unless that is watched. The caller holds mu.
func (r *Request) ended() <-chan struct{} {
	if r.done == nil {
		r.done = make(chan struct{})
		if r.err != nil {
			close(r.done)
		}
	}
	return r.done
}

// watchTime lets the request end by itself when its time is over. The caller holds mu.
func (r *Request) watchTime() {
	if r.timer == nil && r.err == nil && !r.limit.IsZero() {
		r.timer = time.AfterFunc(time.Until(r.limit), func() { r.end(context.DeadlineExceeded) })
	}
}

// Err says why the request ended, nil while it has not.
func (r *Request) Err() error {
	if r.late() {
		r.end(context.DeadlineExceeded) // its timer may not have run yet, or there is none
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// AfterFunc lets package context hang a ctx below this one without a goroutine that waits for it. f must not block.
func (r *Request) AfterFunc(f func()) (stop func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		go f() // the caller may hold what f needs
		return func() bool { return false }
	}
	r.watchTime()
	hook := &f
	r.hooks = append(r.hooks, hook)
	return func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		i := slices.Index(r.hooks, hook)
		if i >= 0 {
			r.hooks = slices.Delete(r.hooks, i, i+1)
		}
		return i >= 0
	}
}

// end ends the ctx; the first reason stands.
func (r *Request) end(reason error) {
	r.mu.Lock()
	if r.err != nil {
		r.mu.Unlock()
		return
	}
	r.err = reason
	if r.done != nil {
		close(r.done)
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	hooks, bound := r.hooks, r.bound
	r.hooks, r.bound = nil, nil
	r.mu.Unlock()
	if bound != nil {
		bound.Abandon(reason)
	}
	for _, f := range hooks {
		(*f)()
	}
}

// cancel ends the ctx of a request whose time is not over.
func (r *Request) cancel() {
	if r.late() {
		r.end(context.DeadlineExceeded)
	} else {
		r.end(context.Canceled)
	}
}

func (r *Request) late() bool { return !r.limit.IsZero() && time.Until(r.limit) <= 0 }
