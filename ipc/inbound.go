package ipc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"syscall"
)

// readBuffer joins small frames into one system call; an idle connection pays for it, so it is small.
const readBuffer = 8 << 10

// readLoop takes frames apart until the stream ends or the peer breaks the wire; it returns why.
//
//	readLoop ── answer ───────> answered ──> the waiting Call
//	         ── cancel ───────> the handler's ctx
//	         ── notification ─> Options.Notify
//	         ── request ──────> accept ──> goroutine: Options.Handler ──> reply ──> queue
func (c *Conn) readLoop() error {
	frames := frameReader{r: bufio.NewReaderSize(c.rw, readBuffer)}
	for {
		frame, err := frames.next(c.maxFrame)
		var big *oversizeError
		if errors.As(err, &big) {
			if err := c.oversize(big); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return streamEnd(err)
		}
		e, err := decodeEnvelope(frame)
		if err != nil {
			return err
		}
		if err := c.receive(e, frame); err != nil {
			return err
		}
	}
}

// streamEnd makes a peer that vanished look the same whether or not it left unread bytes behind.
func streamEnd(err error) error {
	if errors.Is(err, syscall.ECONNRESET) {
		return io.EOF
	}
	return err
}

func (c *Conn) maxFrame() (n int) {
	c.update(func(s *state) { n = s.maxFrame })
	return n
}

func (c *Conn) receive(e *Envelope, frame []byte) error {
	switch {
	case e.answers():
		data, err := result(e)
		c.answered(e, data, err)
	case e.Type == TypeCancel:
		c.update(func(s *state) {
			if cancel := s.inbound[e.ID]; cancel != nil {
				s.later(cancel)
			}
		})
	case e.ID == 0:
		c.opts.Notify(e)
	default:
		return c.accept(e, frame)
	}
	return nil
}

// accept starts the handler of a request, or refuses the request.
func (c *Conn) accept(e *Envelope, frame []byte) error {
	var refusal *Error
	var broken error
	ctx, cancel := c.ctx, context.CancelFunc(nil)
	if ttl := e.TTL(); ttl > 0 {
		ctx, cancel = context.WithTimeout(ctx, ttl)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	c.update(func(s *state) {
		switch {
		case e.ID <= s.lastIn:
			broken = protocolError(frame, "request id %d does not grow: the last one was %d", e.ID, s.lastIn)
			return
		case s.phase != open:
			refusal = Errorf(CodeUnavailable, "this side is shutting down")
		case len(s.inbound) >= c.opts.MaxInbound:
			refusal = Errorf(CodeBusy, "%d requests are open on this connection, which is the limit", len(s.inbound))
		default:
			s.inbound[e.ID] = cancel
			c.handlers.Add(1)
		}
		s.lastIn = e.ID
	})
	if broken != nil || refusal != nil {
		cancel()
		if broken != nil {
			return broken
		}
		return c.refuse(e, refusal)
	}
	go func() {
		defer c.handlers.Done()
		defer cancel()
		var data json.RawMessage
		var err error = Errorf(CodeHandlerError, "the handler ended without an answer") // by runtime.Goexit
		defer func() { c.reply(e, data, err) }()
		data, err = c.opts.Handler(ctx, e)
	}()
	return nil
}

// reply answers an open request. It waits for room as long as the connection lives: who does not read its answers
// keeps its requests open, and MaxInbound bounds those.
func (c *Conn) reply(req *Envelope, data json.RawMessage, err error) {
	body, bad := encodeEnvelope(answerTo(req, data, err))
	if bad == nil {
		bad = c.send(context.Background(), &outgoing{body: body, id: req.ID}, false)
	}
	if bad != nil { // too large or not JSON: say so instead; on a closed connection this fails like the first one
		instead := AsError(bad, CodeHandlerError)
		instead.Outcome = Done // the handler did run
		body, _ = encodeEnvelope(answerTo(req, nil, instead))
		_ = c.send(context.Background(), &outgoing{body: body, id: req.ID}, false)
	}
	c.update(func(s *state) { delete(s.inbound, req.ID) }) // a queued answer has done so already, a lost one has not
}

// refuse answers from the reading goroutine, which must not wait: a peer that floods and does not read loses its connection.
func (c *Conn) refuse(req *Envelope, reason *Error) error {
	body, err := encodeEnvelope(answerTo(req, nil, reason))
	if err != nil {
		return err
	}
	var full bool
	c.update(func(s *state) {
		full = s.work.bytes >= c.opts.MaxQueued
		if !full && !s.deaf && s.phase != closed {
			s.work.push(&outgoing{body: body, id: req.ID})
		}
	})
	if full {
		return protocolError(nil, "the peer sends requests without reading the answers")
	}
	return nil
}

func answerTo(req *Envelope, data json.RawMessage, err error) *Envelope {
	answer := &Envelope{Type: answerType(req), Status: StatusSuccess, Data: data}
	if err != nil {
		answer.Status, answer.Data, answer.Error = StatusError, nil, AsError(err, CodeHandlerError)
	}
	return answer
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
	limit := c.maxFrame()
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
		c.answered(e, nil, reason)
		return nil
	}
	return c.refuse(e, reason)
}
