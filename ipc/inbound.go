package ipc

import (
	"errors"
	"io"
	"syscall"
	"time"
)

// readLoop takes frames apart until the stream ends or the peer breaks the wire; it returns why.
//
//	readLoop ── answer ───────> answered ──> the waiting Call
//	         ── cancel ───────> the handler's ctx
//	         ── notification ─> Options.Notify
//	         ── request ──────> accept ──> worker: Options.Handler ──> reply ──> queue
//
// It also returns, with errRelieved, when it is not its turn any more; caller is what ends the wait of whoever reads, if that is one.
func (c *Conn) readLoop(frames *frameReader, caller *waits, batch *Batch) error {
	next := c.spare() // for the first frame that is kept
	for {
		frames.batch = batch
		frame, attached, err := frames.next(c)
		var big *oversizeError
		if errors.As(err, &big) {
			if err := c.oversize(big); err != nil {
				return err
			}
			continue
		}
		if err == errStopped {
			c.update(c.readOnward)
			return errRelieved
		}
		if err != nil {
			return streamEnd(err)
		}
		if err := next.read(frame); err != nil {
			return err
		}
		if attached != nil {
			if err := next.attach(frame, attached); err != nil {
				return err
			}
		}
		behind := frames.behind(len(frame) + len(attached))
		if batch != nil {
			batch.open = behind > 0
		}
		kept, err := c.receive(next, frame, behind, batch)
		if !kept {
			next.decoded = decoded{}
		}
		if err != nil {
			if !kept {
				c.spares.Put(next)
			}
			return err
		}
		if caller != nil && caller.over() {
			c.update(c.readOnward)
			return errRelieved
		}
		if kept {
			next = c.spare()
		}
	}
}

// spare returns room for a frame.
func (c *Conn) spare() *Request {
	if unused, ok := c.spares.Get().(*Request); ok {
		return unused
	}
	return new(Request)
}

// streamEnd makes a peer that vanished look the same whether or not it left unread bytes behind.
func streamEnd(err error) error {
	if errors.Is(err, syscall.ECONNRESET) {
		return io.EOF
	}
	return err
}

func (c *Conn) limit() int       { return int(c.maxFrame.Load()) }
func (c *Conn) attachable() bool { return c.takes.Load() }

// receive does what a frame asks for; kept says that r is somebody else's from here on. behind is how many frames have
// come with it, about.
func (c *Conn) receive(r *Request, frame []byte, behind int, batch *Batch) (kept bool, err error) {
	e := &r.Envelope
	switch {
	case e.answers():
		data, err := result(e)
		return false, c.answered(e, data, err, behind > 0, batch)
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
		return true, c.accept(r, frame, behind, batch)
	}
}

// accept gives a request to a worker, serves it itself, or refuses it.
func (c *Conn) accept(r *Request, frame []byte, behind int, batch *Batch) error {
	r.conn = c
	if ttl := r.TTL(); ttl > 0 {
		r.limit = time.Now().Add(ttl)
	}
	w, refusal, err := c.admit(r, frame, behind, batch)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		return c.refuse(&r.Envelope, refusal)
	case w == self:
		return c.serveHere(r)
	case w == later:
		return nil
	case w == elsewhere:
		if c.opts.Relay(r, batch) {
			return nil
		}
		c.update(func(s *state) { w = c.recruit(s) })
	}
	c.hire(w, r)
	return nil
}

// admit opens a request and names the worker for it, nil for a new one, or says why it is refused.
func (c *Conn) admit(r *Request, frame []byte, behind int, batch *Batch) (w *worker, refusal *Error, err error) {
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
	if w = s.assign(r, behind, batch); w == nil {
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
	began := time.Now()
	var data Data
	var err error
	returned := false
	defer func() {
		if !returned {
			err = Errorf(CodeHandlerError, "the handler ended without an answer") // by runtime.Goexit
		}
		r.cancel()
		c.reply(r, data, err, nil)
		took = time.Since(began)
	}()
	data, err = c.opts.Handler(r, &r.Envelope)
	returned = true
	return
}

// reply answers an open request. Who does not read its answers keeps its requests open, and MaxInbound bounds those.
func (c *Conn) reply(req *Request, data Data, err error, batch *Batch) {
	bad := c.answer(req, data, err, batch)
	if bad == nil {
		return // which has closed the request
	}
	instead := AsError(bad, CodeHandlerError) // too large or not JSON: say so; on a closed connection this fails like the first one
	instead.Outcome = Done                    // the handler did run
	if c.answer(req, Data{}, instead, batch) != nil {
		c.update(func(s *state) { delete(s.inbound, req.ID) })
	}
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
func (c *Conn) oversize(big *oversizeError) error {
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
		return c.answered(e, Data{}, reason, true, nil)
	}
	return c.refuse(e, reason)
}
