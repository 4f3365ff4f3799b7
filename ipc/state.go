package ipc

import (
	"context"
	"errors"
	"time"
)

// phase of a connection (docs/protocol.md, "Connection states").
type phase int

const (
	open     phase = iota
	draining       // ends when idle
	closed
)

// state is all that changes during a connection's life. Whoever has changed it leaves it through Conn.unlock.
type state struct {
	phase   phase
	cause   error // why the connection is closed
	settled bool  // the work of closing has been done

	lastOut     int64              // last id this side has used
	lastIn      int64              // last id the peer has used
	calls       map[int64]*call    // written, not answered
	limits                         // of the calls of this side
	inbound     map[int64]*Request // the peer's open requests
	interrupted bool               // the ctx of each has ended, and of those to come
	bench                          // the workers that wait for one
	turn        turn               // who reads
	direct      direct             // who serves

	urgent     lane      // health, cancel, shutdown: never wait behind work
	work       lane      // everything else; bounded by Options.MaxQueued
	waiting    []*waiter // frames for which work has no room yet, oldest first
	running    bool      // there is a writing goroutine
	writing    bool      // somebody writes: the burst is theirs
	handedOver bool      // what is in the burst is left to the writing goroutine
	held       bool      // what is queued waits for the rest of a Batch
	stalls     time.Time // since when the writing goroutine waits for the peer to take what it writes; zero: nobody knows
	farewell   bool      // no more work of this side's own is written
	deaf       error     // why the peer gets no more frames; nil: it does

	cancels   bool // extension "cancel" is on
	maxQueued int
	stats     Stats
	lulls     []lull

	after []func() // what unlock does once the lock is released
}

// idle: nothing of the peer's is open and everything queued is written.
func (s *state) idle() bool { return s.nothingQueued() && !s.writing }

// nothingQueued: nothing of the peer's is open, and the last frame has been handed to the stream.
func (s *state) nothingQueued() bool { return len(s.inbound) == 0 && !s.queued() }

func (s *state) queued() bool { return len(s.urgent.frames)+len(s.work.frames) > 0 }

func (s *state) later(f func()) { s.after = append(s.after, f) }

// update changes the state through f.
func (c *Conn) update(f func(*state)) {
	c.mu.Lock()
	f(&c.state)
	c.unlock()
}

// unlock draws the consequences of a change and releases the lock: a draining connection that is idle closes, a closed one ends
// every call, a queue that is not empty and not held back wakes the writing goroutine.
func (c *Conn) unlock() {
	s := &c.state
	if s.phase == draining && s.idle() {
		s.phase = closed
	}
	if s.phase == closed && !s.settled {
		s.settled = true
		c.settle(s)
	}
	if len(s.lulls) > 0 {
		s.endLulls()
	}
	if s.handedOver || !s.writing && s.queued() && (!s.held || len(s.urgent.frames) > 0) {
		c.wakeWriter()
	}
	after := s.after
	s.after = nil
	c.mu.Unlock()
	for _, f := range after {
		f()
	}
}

func (c *Conn) wakeWriter() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// settle ends everything that hangs on a connection which has just closed.
func (c *Conn) settle(s *state) {
	s.dropQueues()
	for _, call := range s.calls {
		s.finish(call, Data{}, c.gone(s.cause))
	}
	clear(s.calls)
	s.interrupt()
	s.limits.close()
	s.turn.close()
	if c.socket != nil {
		c.socket.end()
	}
	s.endIdle()
	for _, r := range s.direct.close() {
		delete(s.inbound, r.ID) // nobody has begun it
	}
	s.later(func() { _ = c.rw.Close() }) // the reason for the end is already known, and it is a better one
	s.later(func() { close(c.done) })
}

// interrupt ends the ctx of every request of the peer.
func (s *state) interrupt() {
	s.interrupted = true
	for _, r := range s.inbound {
		s.later(r.cancel)
	}
}

func notWritten() *Error {
	return Errorf(CodeUnavailable, "the connection ended before the call was written")
}

// endOfCall says what a context's end means for a call; reason is its Err.
func endOfCall(reason error, written bool) *Error {
	late := errors.Is(reason, context.DeadlineExceeded)
	switch {
	case late && written:
		return Errorf(CodeTimeout, "no answer before the deadline")
	case late:
		return Errorf(CodeTTLExpired, "the deadline passed before the call was written")
	case written:
		return Errorf(CodeCancelled, "the caller gave up")
	}
	e := Errorf(CodeCancelled, "the caller gave up before the call was written")
	e.Outcome = NotDelivered
	return e
}
