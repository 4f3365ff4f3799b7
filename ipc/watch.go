package ipc

import "time"

// Watch follows a request further than its result.
type Watch interface {
	// Written is called with the id the request got, before any of its bytes leave. A request that is never written has
	// no such moment. The connection is locked meanwhile: it must do nothing with it, nor wait.
	Written(id int64)
	// Settled is called exactly once, when nothing is owed any more: by the answer, even one that came too late for the
	// caller, by the request's withdrawal, or by the connection's end. An answer that the caller waits for settles the request
	// before the caller has it. It may be called on any goroutine and must not block. The connection is not locked: what is to
	// follow may be sent from here.
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

// watch is a Watch, which may be nil, and what is to be told to it.
type watch struct {
	Watch
	answered time.Time // zero: not yet
	known    bool      // Watching has told it
}

// written is called by who holds the connection's lock.
func (w *watch) written(id int64) {
	if w.Watch != nil {
		w.Written(id)
	}
}

// settle is called without it, by who has made sure that nobody else will.
func (w *watch) settle(batch *Batch) {
	if w.Watch != nil {
		w.Settled(Settlement{w.answered, w.known, batch})
	}
}
