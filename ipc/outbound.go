package ipc

import (
	"context"
	"slices"
	"time"
)

// outgoing is one frame on its way out.
type outgoing struct {
	body []byte // JSON without the id
	id   int64  // of an answer or a cancel; 0 for a notification; a call gets its own when it is written
	call *call  // nil unless a request of this side
}

// lane is a queue of frames and the bytes in it.
type lane struct {
	frames []*outgoing
	bytes  int
}

func (l *lane) push(o *outgoing) {
	l.frames = append(l.frames, o)
	l.bytes += len(o.body)
}

// remove takes the frame of a call out, if it is here.
func (l *lane) remove(call *call) {
	l.frames = slices.DeleteFunc(l.frames, func(o *outgoing) bool {
		if o.call != call {
			return false
		}
		l.bytes -= len(o.body)
		return true
	})
}

// drop takes the first n frames out.
func (l *lane) drop(n int) {
	for _, o := range l.frames[:n] {
		l.bytes -= len(o.body)
	}
	l.frames = slices.Delete(l.frames, 0, n)
}

// Batch limits of the writing goroutine: how much is joined into one write, and the buffer worth keeping for the next.
const (
	batchSize  = 256 << 10
	keepBuffer = 64 << 10
)

// waiter is a frame that waits for room in the queue of work.
type waiter struct {
	frame *outgoing
	ended chan struct{} // closed when the frame has been queued or never will be
	err   error         // why it never will be
}

// send queues a frame. A work frame waits for room until ctx ends, first come, first served.
func (c *Conn) send(ctx context.Context, o *outgoing, urgent bool) error {
	if ctx.Err() != nil {
		return endOfCall(ctx, false)
	}
	var failed error
	var w *waiter
	c.update(func(s *state) {
		size := len(o.body) + frameOverhead
		switch {
		case s.phase == closed || s.deaf || s.farewell && o.call != nil && !urgent:
			failed = notWritten()
		case size > s.maxFrame:
			failed = Errorf(CodeFrameTooLarge, "a frame of %d bytes is over the limit of %d; raise max_frame or send less", size, s.maxFrame)
		case urgent:
			s.urgent.push(o)
		case len(s.waiting) == 0 && s.hasRoom(o):
			s.enqueue(o)
		default:
			w = &waiter{frame: o, ended: make(chan struct{})}
			s.waiting = append(s.waiting, w)
		}
	})
	if w == nil {
		return failed
	}
	select {
	case <-w.ended:
		return w.err
	case <-ctx.Done():
	}
	c.update(func(s *state) {
		if i := slices.Index(s.waiting, w); i >= 0 {
			s.waiting = slices.Delete(s.waiting, i, i+1)
			failed = endOfCall(ctx, false)
			s.admit() // it may have kept smaller frames waiting
		} else {
			failed = w.err
		}
	})
	return failed
}

// hasRoom reports whether a frame may join the queue of work. One that would be alone there always may.
func (s *state) hasRoom(o *outgoing) bool {
	return s.work.bytes == 0 || s.work.bytes+len(o.body) <= s.maxQueued
}

// enqueue queues a frame of work. An answer closes its request in the same step, so that the peer finds the place free
// when it has read the answer.
func (s *state) enqueue(o *outgoing) {
	s.work.push(o)
	if o.call == nil {
		delete(s.inbound, o.id)
	}
}

// admit queues waiting frames as far as there is room.
func (s *state) admit() {
	n := 0
	for _, w := range s.waiting {
		if !s.hasRoom(w.frame) {
			break
		}
		s.enqueue(w.frame)
		close(w.ended)
		n++
	}
	s.waiting = slices.Delete(s.waiting, 0, n)
}

// writeLoop writes what is queued, as much at a time as there is: under load many frames share one system call.
//
// A failed write only makes the connection deaf. The peer may have answered calls before it went, so what it wrote is
// still read; the stream's end then closes the connection, or its patience with a peer that lives on and does not listen.
func (c *Conn) writeLoop() {
	var buf []byte
	for {
		if cap(buf) > keepBuffer {
			buf = nil
		}
		buf = c.take(buf[:0])
		if len(buf) == 0 {
			select {
			case <-c.wake:
				continue
			case <-c.done:
				return
			}
		}
		_, err := c.rw.Write(buf)
		c.update(func(s *state) {
			s.writing = false
			if err != nil {
				s.deaf = true
				s.dropQueues()
			}
		})
		if err != nil {
			c.endDeaf(err)
			return
		}
	}
}

// deafness is how long a connection that cannot write is still read.
const deafness = time.Second

// endDeaf waits for the end of a connection that cannot write, and brings it about if it does not come.
func (c *Conn) endDeaf(cause error) {
	timer := time.NewTimer(deafness)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		c.end(cause)
	}
}

// take moves the next batch of frames into buf. From here on their calls count as written.
func (c *Conn) take(buf []byte) []byte {
	c.update(func(s *state) {
		buf = s.takeFrom(&s.urgent, buf)
		buf = s.takeFrom(&s.work, buf)
		s.writing, s.writingSince = len(buf) > 0, time.Now()
		s.admit()
	})
	return buf
}

func (s *state) takeFrom(l *lane, buf []byte) []byte {
	n := 0
	for _, o := range l.frames {
		if len(buf) >= batchSize {
			break
		}
		if o.call != nil {
			s.lastOut++
			o.id, o.call.id = s.lastOut, s.lastOut
			s.calls[o.id] = o.call
			if o.call.watch.Written != nil {
				s.later(func() { o.call.watch.written(o.id) })
			}
		}
		buf = appendFrame(buf, o.body, o.id)
		n++
	}
	l.drop(n)
	return buf
}

// sayFarewell withdraws the calls that wait to be written. Answers to the peer still go out.
func (s *state) sayFarewell() {
	s.farewell = true
	for _, o := range slices.Clone(s.work.frames) {
		if o.call != nil {
			s.work.remove(o.call)
			s.finish(o.call, nil, notWritten())
		}
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(w *waiter) bool {
		if w.frame.call != nil {
			w.err = notWritten()
			close(w.ended)
		}
		return w.frame.call != nil
	})
	s.admit()
}

// dropQueues ends what was never written.
func (s *state) dropQueues() {
	for _, l := range []*lane{&s.urgent, &s.work} {
		for _, o := range l.frames {
			if o.call != nil {
				s.finish(o.call, nil, notWritten())
			}
		}
		*l = lane{}
	}
	for _, w := range s.waiting {
		w.err = notWritten()
		close(w.ended)
	}
	s.waiting = nil
}
