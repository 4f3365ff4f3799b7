package ipc

import (
	"context"
	"slices"
	"sync"
)

// outgoing is one frame on its way out.
type outgoing struct {
	body     []byte // JSON without the id
	attached []byte // behind the JSON; nil: nothing
	id       int64  // of an answer or a cancel; 0 for a notification; a call gets its own when it is written
	call     *call  // nil unless a request of this side
}

// size is how long the frame is without the length prefix and the id.
func (o *outgoing) size() int {
	if o.attached == nil {
		return len(o.body)
	}
	return attachmentSize + len(o.body) + len(o.attached)
}

// lane is a queue of frames and the bytes in it.
type lane struct {
	frames []*outgoing
	bytes  int
}

func (l *lane) push(o *outgoing) {
	l.frames = append(l.frames, o)
	l.bytes += o.size()
}

// remove takes the frame of a call out, if it is here.
func (l *lane) remove(call *call) {
	l.frames = slices.DeleteFunc(l.frames, func(o *outgoing) bool {
		if o.call != call {
			return false
		}
		l.bytes -= o.size()
		return true
	})
}

// waiter is a frame that waits for room in the queue of work.
type waiter struct {
	frame *outgoing
	ended chan struct{} // closed when the frame has been queued or never will be
	err   error         // why it never will be
}

// A body up to largeBody is copied into a burst; a larger one is written from where it is. The memory of both serves further
// frames, unless it is more than keepBody.
const (
	largeBody = 16 << 10
	keepBody  = 4 << 20
)

// draft returns an empty envelope with room for what most have in them; encode takes it back.
func (c *Conn) draft() *decoded {
	if used, ok := c.drafts.Get().(*decoded); ok {
		return used
	}
	return new(decoded)
}

// encode returns the frame of a draft. They share no memory that anybody changes.
func (c *Conn) encode(d *decoded) (*outgoing, error) {
	var apart Payload
	if c.attaches.Load() {
		apart = d.detach()
	}
	size := usualSize(&d.Envelope)
	if apart.form == borrowed {
		size += len(apart.b)
	}
	o, ok := c.pool(size).Get().(*outgoing)
	if !ok {
		o = new(outgoing)
	}
	body, err := encodeInto(slices.Grow(o.body[:0], size), &d.Envelope)
	*d = decoded{}
	c.drafts.Put(d)
	if err != nil {
		return nil, err
	}
	o.body, o.attached = body, apart.b
	if apart.form == borrowed {
		both := append(body, apart.b...)
		o.body, o.attached = both[:len(body)], both[len(body):]
	}
	return o, nil
}

// attachFrom is from which size on a payload travels as an attachment, if it may: smaller ones cost no more as text.
const attachFrom = 64

// detach takes the payload out of a draft if it is to travel as an attachment.
func (d *decoded) detach() (p Payload) {
	take := func(from *Payload) {
		if from.form != inBase64 && len(from.b) >= attachFrom {
			p, *from = *from, Payload{}
		}
	}
	switch {
	case d.Message != nil:
		d.message = *d.Message // which may be the caller's
		d.Message = &d.message
		take(&d.message.Payload)
	case d.answers():
		take(&d.Data.payload)
	default:
		take(&d.Params.payload)
	}
	return p
}

// recycle keeps a frame whose bytes have been copied or written, and which nobody else knows any more.
func (c *Conn) recycle(o *outgoing) {
	if cap(o.body) <= keepBody {
		*o = outgoing{body: o.body[:0]}
		c.pool(cap(o.body)).Put(o)
	}
}

// pool is where frames with so much memory are.
func (c *Conn) pool(size int) *sync.Pool {
	if size > largeBody {
		return &c.large
	}
	return &c.frames
}

// send queues a frame, which is the connection's from here on. A work frame waits for room until ctx ends, first come, first
// served. If nobody writes, send does, as far as the stream takes it without waiting.
func (c *Conn) send(ctx context.Context, o *outgoing, urgent bool) error {
	c.mu.Lock()
	w, err := c.offer(o, urgent)
	c.dispatch(o, err, urgent, nil)
	if w == nil {
		return err
	}
	select {
	case <-w.ended:
		return w.err
	case <-ctx.Done():
	}
	c.update(func(s *state) {
		if i := slices.Index(s.waiting, w); i >= 0 {
			s.waiting = slices.Delete(s.waiting, i, i+1)
			err = endOfCall(ctx.Err(), false)
			s.admit() // it may have kept smaller frames waiting
		} else {
			err = w.err
		}
	})
	return err
}

// dispatch goes on with a frame that has been offered, unless that failed, and releases the lock: somebody reads the answer, and if
// nobody writes, the caller does, unless the frame waits for the rest of a batch.
func (c *Conn) dispatch(o *outgoing, failed error, urgent bool, batch *Batch) {
	s := &c.state
	mine := false
	if failed == nil {
		if o.call != nil {
			c.enter(s, o.call)
		}
		mine = !batch.hold(c) && c.claim()
	}
	crowded := !urgent && batch == nil && len(s.calls)+len(s.inbound) > 1
	c.unlock()
	if mine {
		c.flush(crowded)
	}
}

// offer queues a frame, lets it wait for room, or refuses it.
func (c *Conn) offer(o *outgoing, urgent bool) (*waiter, error) {
	s := &c.state
	size, limit := o.size()+frameOverhead, c.limit()
	switch {
	case s.phase == closed || s.deaf != nil || s.farewell && o.call != nil && !urgent:
		return nil, notWritten()
	case size > limit:
		return nil, Errorf(CodeFrameTooLarge, "a frame of %d bytes is over the limit of %d; raise max_frame or send less", size, limit)
	case urgent:
		s.urgent.push(o)
		s.heed(o.call)
	case len(s.waiting) == 0 && s.hasRoom(o):
		s.enqueue(o)
	default:
		w := &waiter{frame: o, ended: make(chan struct{})}
		s.waiting = append(s.waiting, w)
		return w, nil
	}
	return nil, nil
}

// hasRoom reports whether a frame may join the queue of work. One that would be alone there always may.
func (s *state) hasRoom(o *outgoing) bool {
	return s.work.bytes == 0 || s.work.bytes+o.size() <= s.maxQueued
}

// enqueue queues a frame of work. An answer closes its request in the same step, so that the peer finds the place free
// when it has read the answer.
func (s *state) enqueue(o *outgoing) {
	s.work.push(o)
	if o.call == nil {
		delete(s.inbound, o.id)
	}
	s.heed(o.call)
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

// sayFarewell withdraws the calls that wait to be written. Answers to the peer still go out.
func (s *state) sayFarewell() {
	s.farewell = true
	for _, o := range slices.Clone(s.work.frames) {
		if o.call != nil {
			s.work.remove(o.call)
			s.finish(o.call, Data{}, notWritten())
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
				s.finish(o.call, Data{}, notWritten())
			}
		}
		*l = lane{}
	}
	for _, w := range s.waiting {
		w.err = notWritten()
		close(w.ended)
		if w.frame.call == nil {
			delete(s.inbound, w.frame.id)
		}
	}
	s.waiting = nil
}
