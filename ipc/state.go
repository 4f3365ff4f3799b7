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

// state is all that changes during a connection's life. It changes through Conn.update alone.
type state struct {
	phase   phase
	cause   error // why the connection is closed
	settled bool  // the work of closing has been done

	lastOut int64                        // last id this side has used
	lastIn  int64                        // last id the peer has used
	calls   map[int64]*call              // written, not answered
	inbound map[int64]context.CancelFunc // the peer's open requests

	urgent       lane      // health, cancel, shutdown: never wait behind work
	work         lane      // everything else; bounded by Options.MaxQueued
	waiting      []*waiter // frames for which work has no room yet, oldest first
	writing      bool      // a batch is in the writer's hands
	writingSince time.Time // while writing
	farewell     bool      // no more work of this side's own is written
	deaf         bool      // the peer takes no more frames

	cancels   bool // extension "cancel" is on
	maxFrame  int
	maxQueued int
	stats     Stats
	lulls     []lull

	after []func() // what update does once the lock is released
}

// idle: nothing of the peer's is open and everything queued is written.
func (s *state) idle() bool { return s.nothingQueued() && !s.writing }

// nothingQueued: nothing of the peer's is open, and the last frame has been handed to the stream.
func (s *state) nothingQueued() bool {
	return len(s.inbound) == 0 && len(s.urgent.frames) == 0 && len(s.work.frames) == 0
}

func (s *state) later(f func()) { s.after = append(s.after, f) }

// update changes the state through f and then draws the consequences: a draining connection that is idle closes, a closed
// one ends every call, a queue that is not empty wakes the writer.
func (c *Conn) update(f func(*state)) {
	c.mu.Lock()
	s := &c.state
	f(s)
	if s.phase == draining && s.idle() {
		s.phase = closed
	}
	if s.phase == closed && !s.settled {
		s.settled = true
		c.settle(s)
	}
	s.endLulls()
	if !s.writing && len(s.urgent.frames)+len(s.work.frames) > 0 {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	after := s.after
	s.after = nil
	c.mu.Unlock()
	for _, f := range after {
		f()
	}
}

// settle ends everything that hangs on a connection which has just closed.
func (c *Conn) settle(s *state) {
	s.dropQueues()
	for _, call := range s.calls {
		s.finish(call, nil, c.gone(s.cause))
	}
	clear(s.calls)
	s.later(c.cancel)
	s.later(func() { _ = c.rw.Close() }) // the reason for the end is already known, and it is a better one
	s.later(func() { close(c.done) })
}

func notWritten() *Error {
	return Errorf(CodeUnavailable, "the connection ended before the call was written")
}

// endOfCall says what a context's end means for a call.
func endOfCall(ctx context.Context, written bool) *Error {
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
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
