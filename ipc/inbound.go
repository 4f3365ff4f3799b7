package ipc

import (
	"errors"
	"io"
	"syscall"
	"time"
)

// reading is what somebody has who reads.
type reading struct {
	frames *frameReader
	caller *waits // what ends the wait of a caller who reads; nil: it is a goroutine that does nothing else
	batch  *Batch // of what is sent meanwhile; nil: nothing is held back
	behind int    // how many frames have come with the one that is taken apart, about
}

// readLoop takes frames apart until the stream ends or the peer breaks the wire; it returns why.
//
//	readLoop ── answer ───────> answered ──> the waiting Call
//	         ── cancel ───────> the handler's ctx
//	         ── notification ─> Options.Notify
//	         ── request ──────> accept ──> worker: Options.Handler ──> reply ──> queue
//
// It also returns, with errRelieved, when it is not its turn any more: see turn.
func (c *Conn) readLoop(in *reading) error {
	next := c.spare() // for the first frame that is kept
	for {
		frame, attached, err := in.next(c)
		if err != nil {
			if err := c.unreadable(in, err); err != nil {
				return err
			}
			continue
		}
		if err := next.read(frame); err != nil {
			return err
		}
		if attached != nil {
			if err := next.attach(frame, attached); err != nil {
				return err
			}
		}
		kept, err := c.receive(next, frame, in)
		if !kept {
			*next.decoded = decoded{}
		}
		switch {
		case err != nil && !kept:
			c.spares.Put(next)
			return err
		case err != nil:
			return err
		case in.caller != nil && in.caller.over():
			return c.pass()
		case kept:
			next = c.spare()
		}
	}
}

// next is the next frame. What is held back is written before that is waited for.
func (in *reading) next(c *Conn) (frame, attached []byte, err error) {
	in.frames.batch = in.batch
	frame, attached, err = in.frames.next(c)
	in.behind = in.frames.behind(len(frame) + len(attached))
	if in.batch != nil {
		in.batch.open = in.behind > 0
	}
	return frame, attached, err
}

// unreadable does what can be done without the next frame: nil if there may be another one.
func (c *Conn) unreadable(in *reading, err error) error {
	var big *oversizeError
	switch {
	case errors.As(err, &big):
		return c.oversize(in, big)
	case err == errStopped:
		return c.pass()
	case errors.Is(err, syscall.ECONNRESET): // a peer that vanished looks the same whether or not it left unread bytes behind
		return io.EOF
	}
	return err
}

// spare returns room for a frame.
func (c *Conn) spare() *Request {
	if unused, ok := c.spares.Get().(*Request); ok {
		return unused
	}
	return &Request{decoded: c.draft()}
}

func (c *Conn) limit() int       { return int(c.maxFrame.Load()) }
func (c *Conn) attachable() bool { return c.takes.Load() }

// receive does what a frame asks for; kept says that r is somebody else's from here on.
func (c *Conn) receive(r *Request, frame []byte, in *reading) (kept bool, err error) {
	e := &r.Envelope
	switch {
	case e.answers():
		data, err := result(e)
		return false, c.answered(e, data, err, in)
	case e.Type == TypeCancel:
		c.update(func(s *state) {
			if r := s.inbound[e.ID]; r != nil {
				s.later(r.cancel)
			}
		})
		return false, nil
	case e.ID == 0:
		c.opts.Notify(e)
		return true, nil
	default:
		return true, c.accept(r, frame, in)
	}
}

// accept gives a request to a worker, serves it itself, or refuses it.
func (c *Conn) accept(r *Request, frame []byte, in *reading) error {
	r.conn = c
	if ttl := r.TTL(); ttl > 0 {
		r.limit = in.frames.arrived().Add(ttl)
	}
	w, refusal, err := c.admit(r, frame, in)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		return c.refuse(&r.Envelope, refusal)
	case w == self:
		in.batch.writeBut(c)
		return c.serveHere(r)
	case w == later:
		return nil
	case w == elsewhere:
		if c.opts.Relay(r, in.batch) {
			return nil
		}
		c.update(func(s *state) { w = c.recruit(s) })
	}
	c.hire(w, r)
	return nil
}

// admit opens a request and names the worker for it, nil for a new one, or says why it is refused.
func (c *Conn) admit(r *Request, frame []byte, in *reading) (w *worker, refusal *Error, err error) {
	c.mu.Lock()
	defer c.unlock()
	s := &c.state
	if r.ID <= s.lastIn {
		return nil, nil, protocolError(frame, "request id %d does not grow: the last one was %d", r.ID, s.lastIn)
	}
	s.lastIn = r.ID
	switch {
	case s.phase != open:
		return nil, Errorf(CodeUnavailable, "this side is shutting down"), nil
	case len(s.inbound) >= c.opts.MaxInbound:
		return nil, Errorf(CodeBusy, "%d requests are open on this connection, which is the limit", len(s.inbound)), nil
	}
	s.inbound[r.ID] = r
	if s.interrupted {
		s.later(r.cancel)
	}
	if c.opts.Relay != nil && r.Type == TypeServiceRequest {
		s.turn.lone = 0
		return elsewhere, nil, nil
	}
	if w = s.assign(r, in); w == nil {
		w = c.recruit(s)
	}
	return w, nil, nil
}

// serveHere is serve for the reading goroutine, whose turn it may not be any more then: errRelieved.
func (c *Conn) serveHere(r *Request) (err error) {
	var took time.Duration
	returned := false
	defer func() {
		err = c.served(r, took)
		if !returned && err == nil { // the handler has ended this goroutine by runtime.Goexit
			c.update(c.readOnward)
		}
	}()
	took = c.serve(r)
	returned = true
	return nil
}

// serve runs the handler of a request and answers it; it returns how long that took.
func (c *Conn) serve(r *Request) (took time.Duration) {
	began := c.age()
	var data Data
	var err error
	returned := false
	defer func() {
		if !returned {
			err = Errorf(CodeHandlerError, "the handler ended without an answer") // by runtime.Goexit
		}
		c.reply(r, data, err, nil)
		took = c.age() - began
	}()
	data, err = c.opts.Handler(r, &r.Envelope)
	returned = true
	return
}

// reply answers an open request. Who does not read its answers keeps its requests open, and MaxInbound bounds those.
func (c *Conn) reply(req *Request, data Data, err error, batch *Batch) {
	req.cancel()
	defer c.forget(req)
	bad := c.answer(req, data, err, batch)
	if bad == nil {
		return // which closes the request as soon as it is queued
	}
	instead := AsError(bad, CodeHandlerError) // too large or not JSON: say so; on a closed connection this fails like the first one
	instead.Outcome = Done                    // the handler did run
	if c.answer(req, Data{}, instead, batch) != nil {
		c.update(func(s *state) { delete(s.inbound, req.ID) })
	}
}

// forget lets the memory of an answered request be used again, but for what its ctx is, which somebody may have kept. One whose answer
// waits for room is open still, and seen by Serving.
func (c *Conn) forget(r *Request) {
	if r.waits {
		return
	}
	d := r.decoded
	r.decoded = nil
	*d = decoded{}
	c.drafts.Put(d)
}

func (c *Conn) answer(req *Request, data Data, err error, batch *Batch) error {
	d := c.draft()
	fillAnswer(&d.Envelope, &req.Envelope, data, err)
	o, bad := c.encode(d)
	if bad != nil {
		return bad
	}
	o.id = req.ID
	return c.post(o, req, batch)
}

// refuse answers from the reading goroutine, which must not wait: a peer that floods and does not read loses its connection.
func (c *Conn) refuse(req *Envelope, reason *Error) error {
	var e Envelope
	fillAnswer(&e, req, Data{}, reason)
	body, err := encodeEnvelope(&e)
	if err != nil {
		return err
	}
	var full bool
	c.update(func(s *state) {
		full = s.work.bytes >= c.opts.MaxQueued
		if !full && s.deaf == nil && s.phase != closed {
			s.work.push(&outgoing{body: body, id: req.ID})
		}
	})
	if full {
		return protocolError(nil, "the peer sends requests without reading the answers")
	}
	return nil
}

func fillAnswer(e, req *Envelope, data Data, err error) {
	e.Type = answerType(req)
	if err != nil {
		e.Status, e.Error = StatusError, AsError(err, CodeHandlerError)
	} else {
		e.Status, e.Data = StatusSuccess, data
	}
}

// answerType is the type of the answer to a request.
func answerType(req *Envelope) string {
	if req.Type == TypeServiceRequest {
		return TypeServiceResponse
	}
	return TypeResponse
}

// oversize deals with a frame that was skipped: its request is refused, its answer ends the call that waits for it.
func (c *Conn) oversize(in *reading, big *oversizeError) error {
	limit := c.limit()
	e := &big.head
	c.update(func(s *state) {
		s.stats.Skipped++
		if !e.answers() && e.Type != TypeCancel && e.ID <= maxID {
			s.lastIn = max(s.lastIn, e.ID)
		}
	})
	reason := Errorf(CodeFrameTooLarge, "a frame of %d bytes is over the limit of %d", big.size, limit)
	switch {
	case e.ID <= 0 || e.ID > maxID || e.Type == "" || e.Type == TypeCancel:
		return nil // nobody can be told
	case e.answers():
		reason.Outcome = Done // the handler did run
		return c.answered(e, Data{}, reason, &reading{frames: in.frames, behind: 1})
	}
	return c.refuse(e, reason)
}
