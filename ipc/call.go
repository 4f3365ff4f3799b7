package ipc

import (
	"bytes"
	"context"
	"time"
)

// call is a request of this side on its way: queued (id 0), written, finished.
type call struct {
	id        int64
	answer    string        // the type its answer must have
	waits                   // what else ends it
	receiver  Receiver      // of the result; nil: a caller waits for it
	finished  chan struct{} // gets the one signal of end, for which it has room, if a caller waits
	over      bool          // it has, or is about to
	data      Data
	err       error
	quick     bool // the answer may come soon
	reads     bool // its caller has had the turn to read
	abandoned bool // its caller has returned; the peer still owes the answer
	watch     watch
}

// finish ends a call for which nothing is owed any more: its caller wakes, or has long gone.
func (s *state) finish(c *call, data Data, err error) {
	s.later(func() { c.watch.settle(nil) })
	if !c.over {
		s.end(c, data, err)
	}
}

// end gives a call its result, once.
func (s *state) end(c *call, data Data, err error) {
	c.data, c.err, c.over = data, err, true
	if c.receiver != nil {
		s.later(func() { c.receiver.Ended(data, err, nil) })
	} else {
		c.finished <- struct{}{}
	}
}

// Call sends req as a request and waits for its answer. The error is always an *Error:
// the peer's own, or one of this side with its outcome set.
//
// A ctx that ends withdraws a request not yet written (not_delivered); a written one is cancelled, if the extension is on,
// and Call returns at once (unknown). The peer still owes the answer then; watch, which may be nil, tells when it came.
func (c *Conn) Call(ctx context.Context, req *Envelope, watch Watch) (Data, error) {
	d := c.draft()
	d.Envelope = *req
	return c.do(ctx, c.ask(ctx, d, watch), d, timeOf(ctx))
}

// do makes a call of a draft, which it takes back. left is the time that ctx has left.
func (c *Conn) do(ctx context.Context, call *call, req *decoded, left time.Duration) (Data, error) {
	urgent := req.Type == TypeHealthCheck || req.Type == TypeShutdown
	o, err := c.encodeRequest(req)
	if err == nil {
		if o.size() > largeBody { // to encode it may have taken what was left
			left = timeOf(ctx)
		}
		err = call.ended(ctx, left)
	}
	if err == nil {
		o.call = call
		err = c.send(ctx, o, urgent)
	}
	if err != nil {
		call.watch.settle(nil)
		return Data{}, err
	}
	if call.reads {
		c.read(&reading{caller: &call.waits})
		c.workers.Done()
	}
	c.await(ctx, call)
	data, err := call.data, call.err
	if !call.abandoned && !call.watch.answered.IsZero() { // then nobody else knows it any more
		c.reuse(call)
	}
	return data, err
}

// quick reports whether a request may be answered within a moment.
func quick(e *Envelope) bool {
	return e.Type != TypeInit && e.Type != TypeHealthCheck && e.Type != TypeShutdown
}

// ask returns a call for a request that is about to be sent, and waited for as long as ctx lasts.
func (c *Conn) ask(ctx context.Context, req *decoded, w Watch) *call {
	used, ok := c.asked.Get().(*call)
	if !ok {
		used = &call{finished: make(chan struct{}, 1)}
	}
	used.answer, used.quick, used.watch.Watch = answerType(&req.Envelope), quick(&req.Envelope), w
	used.first, used.second, used.limit = Ends(ctx)
	return used
}

// reuse lets the memory of a call serve another one. It keeps nothing alive meanwhile.
func (c *Conn) reuse(used *call) {
	*used = call{finished: used.finished}
	c.asked.Put(used)
}

// Notify sends a notification; it waits for room in the queue, not for the peer to read it.
func (c *Conn) Notify(ctx context.Context, e *Envelope) error {
	d := c.draft()
	d.Envelope = *e
	o, err := c.encodeRequest(d)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return endOfCall(ctx.Err(), false)
	}
	return c.send(ctx, o, false)
}

func (c *Conn) encodeRequest(d *decoded) (*outgoing, error) {
	what := d.Type
	o, err := c.encode(d)
	if err != nil {
		bad := Errorf(CodeInvalidInput, "the %s cannot be encoded: %v", what, err)
		bad.Outcome = NotDelivered
		return nil, bad
	}
	return o, nil
}

// abandon ends a call for its caller, who does not wait any longer for the given reason.
func (s *state) abandon(call *call, reason error) {
	if call.over {
		return // the answer was faster
	}
	if t := &s.turn; t.caller == call && !t.kicked {
		t.kick()
	}
	if call.id == 0 {
		s.urgent.remove(call)
		s.work.remove(call)
		s.admit()
		s.finish(call, Data{}, endOfCall(reason, false))
		return
	}
	call.abandoned = true
	if s.cancels && s.deaf == nil {
		body, _ := encodeEnvelope(&Envelope{Type: TypeCancel}) // nothing in it can fail
		s.urgent.push(&outgoing{body: body, id: call.id})
	}
	s.end(call, Data{}, endOfCall(reason, true))
}

// answered hands an answer to the call that waits for it, together with what it means. The error is errRelieved if whoever has read it
// reads no more.
func (c *Conn) answered(e *Envelope, data Data, err error, in *reading) error {
	at := in.frames.arrived()
	c.mu.Lock()
	s := &c.state
	call := s.calls[e.ID]
	if call == nil {
		s.stats.Late++
		c.unlock()
		return nil
	}
	delete(s.calls, e.ID)
	call.watch.answered = at
	late := call.abandoned
	if late {
		s.stats.Late++
	} else {
		if e.Type != call.answer {
			data, err = Data{}, Errorf(CodeProtocolError, "a %s came where a %s was due", e.Type, call.answer)
		}
		call.data, call.err, call.over = data, err, true
	}
	relieved := c.leave(s, call, in.behind > 0)
	c.unlock()
	call.watch.settle(in.batch)
	switch {
	case late:
	case call.receiver != nil:
		call.receiver.Ended(call.data, call.err, in.batch)
	default:
		call.finished <- struct{}{}
	}
	if relieved {
		return errRelieved
	}
	return nil
}

// result is what an answer means for the call.
func result(e *Envelope) (Data, error) {
	switch {
	case e.Status == StatusError:
		err := e.Error
		if err == nil {
			err = Errorf(CodeHandlerError, "the peer answered with an error and did not say which")
		}
		if e.Type == TypeResponse { // a module cannot decide what its error means for the call
			err.Outcome, err.Origin = Done, FromModule
		}
		return Data{}, err
	case e.Status != StatusSuccess:
		return Data{}, Errorf(CodeProtocolError, "an answer has status %q, which is neither success nor error", e.Status)
	}
	object := bytes.TrimSpace(e.Data.object)
	if bytes.Equal(object, []byte("null")) {
		object = nil
	}
	if len(object) > 0 && object[0] != '{' {
		return Data{}, Errorf(CodeProtocolError, "the data of an answer is not a JSON object")
	}
	return Data{object: object, payload: e.Data.payload}, nil
}
