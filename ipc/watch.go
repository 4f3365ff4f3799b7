package ipc

import (
	"sync"
	"time"
)

// Watch follows a request further than its result. Its methods must not block; they are called one after the other, Written never
// after Settled, on any goroutine.
type Watch interface {
	// Written is called with the id the request got, before any of its bytes leave. A request that is never written has
	// no such moment.
	Written(id int64)
	// Settled is called exactly once, when nothing is owed any more: by the answer, even one that came too late for the
	// caller, by the request's withdrawal, or by the connection's end. An answer that the caller waits for settles the request
	// before the caller has it. No lock of the connection is held: what is to follow may be sent from here.
	Settled(Settlement)
}

// Settlement is how a request was settled.
type Settlement struct {
	Answered time.Time // when the answer had come; zero: none has
	Known    bool      // somebody has got the Watch from Watching
	Batch    *Batch    // for what Settled sends, and only as long as it runs; nil: nothing is held back
}

// Watching returns the Watch of the request of this side that has an id and is not answered; nil if there is none, or it has none.
func (c *Conn) Watching(id int64) Watch {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.state.calls[id]
	if call == nil {
		return nil
	}
	call.watch.known = true
	return call.watch.Watch
}

// watch keeps the promises of a Watch, which may be nil: its methods are called outside the connection's lock and so by goroutines
// that may overtake each other.
type watch struct {
	Watch
	answered time.Time // zero: not yet; set before settle
	known    bool      // likewise: Watching has told it
	mu       sync.Mutex
	told     bool // written has been called
	settled  bool
}

func (w *watch) written(id int64) {
	if w.Watch == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = true
	if !w.settled {
		w.Written(id)
	}
}

// settle reports whether nothing more will be said to the Watch.
func (w *watch) settle(batch *Batch) (last bool) {
	if w.Watch == nil {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled = true
	w.Settled(Settlement{w.answered, w.known, batch})
	return w.told
}
