package ipc

import "time"

// A goroutine that reads may pass requests on to other connections, and answers back, without one that waits for each of them:
//
//	a request is read ─> Options.Relay ─> HandleLater, on another connection
//	its answer is read there ─> Receiver.Ended ─> Request.Answer

// Receiver gets the result of a request that nobody waits for.
type Receiver interface {
	Watch
	// Ended is called exactly once, with what Handle would have returned. It must not block. batch is for what it sends itself.
	Ended(data Data, err error, batch *Batch)
}

// Pending is a request whose result goes to a Receiver. The zero value is ready for one HandleLater.
type Pending struct {
	conn *Conn
	call call
}

// HandleLater sends a message to the module as Handle does, and returns without waiting: its result goes to a Receiver, at the limit
// at the latest, if that is not zero. An error says that it was not sent, for there was no room or the connection has ended; then
// the Receiver hears nothing.
func (c *Conn) HandleLater(p *Pending, m *Message, mc *Context, limit time.Time, to Receiver, batch *Batch) error {
	o, err := c.encodeRequest(c.handle(m, mc, m.left(limit)))
	if err != nil {
		return err
	}
	p.conn = c
	p.call = call{answer: TypeResponse, waits: waits{limit: limit}, receiver: to, watch: watch{Watch: to}}
	o.call = &p.call
	return c.post(o, nil, batch)
}

// Abandon ends the request for its Receiver, as the end of a ctx does for a caller; reason is the ctx's.
func (p *Pending) Abandon(reason error) {
	p.conn.update(func(s *state) { s.abandon(&p.call, reason) })
}

// post queues a frame without waiting for anything. A request that there is no room for is refused; an answer waits for it by itself.
// answers is the request that is answered, if the frame does that.
func (c *Conn) post(o *outgoing, answers *Request, batch *Batch) error {
	c.mu.Lock()
	s := &c.state
	if answers != nil && s.turn.serving == answers && s.turn.free {
		batch = answers.batch
	}
	var w *waiter
	var err error
	if o.call != nil && (len(s.waiting) > 0 || !s.hasRoom(o)) {
		err = notWritten()
	} else {
		w, err = c.offer(o, false)
	}
	if answers != nil {
		answers.waits = w != nil
	}
	c.dispatch(o, err, false, batch)
	return err
}

// Bind lets what the request was passed on as end with it.
func (r *Request) Bind(p *Pending) {
	r.mu.Lock()
	reason := r.err
	if reason == nil {
		r.bound = p
	}
	r.mu.Unlock()
	if reason != nil {
		p.Abandon(reason)
	}
}

// Answer answers a request that Options.Relay has taken, once. batch is as in Receiver. It reports whether the request knows nothing
// more of what Bind was given: it had not ended before.
func (r *Request) Answer(data Data, err error, batch *Batch) (unbound bool) {
	r.mu.Lock()
	unbound = r.err == nil
	r.bound = nil
	r.mu.Unlock()
	r.conn.reply(r, data, err, batch)
	return unbound
}
