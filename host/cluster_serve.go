package host

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/ixtrun/ixt/ipc"
)

// maxServed is how many requests of others are served at once.
const maxServed = 1024

// inbound is a request of somebody else.
type inbound struct {
	conn   *nats.Conn
	reply  string // "": nobody waits for the answer
	header nats.Header
	data   []byte
}

// ours reports whether it comes from another supervisor, which wants to know who has it before it is answered.
func (in inbound) ours() bool { return in.header.Get(headerCall) != "" }

// send answers. Whether it arrives is not known here; whoever waits sees the connection go, too.
func (in inbound) send(m *nats.Msg) error {
	if in.reply == "" {
		return nil
	}
	m.Subject = in.reply
	return in.conn.PublishMsg(m)
}

// refuse answers with an error.
func (in inbound) refuse(e *ipc.Error) {
	if in.send(errorMsg(e)) != nil { // its details are too much, if anything
		short := *e
		short.Details = nil
		_ = in.send(errorMsg(&short))
	}
}

// served are the requests that are being served. It is safe for concurrent use.
type served struct {
	mu      sync.Mutex
	open    map[string]waiter // by the subject where the answer is awaited
	running int
	closed  bool
	idle    sync.WaitGroup
}

// waiter is who waits for an answer.
type waiter struct {
	from   string // id of a supervisor; "": somebody else
	cancel context.CancelFunc
}

// serve runs work in a goroutine of its own: ctx ends with the time that the request names, its cancellation, or the cluster.
func (c *cluster) serve(in inbound, work func(ctx context.Context)) {
	if err := checkHeaders(in.header); err != nil {
		in.refuse(c.signed(err))
		return
	}
	ctx, cancel := context.WithCancel(c.life)
	if err := c.served.admit(in.reply, waiter{in.header.Get(headerFrom), cancel}); err != nil {
		cancel()
		in.refuse(c.signed(err))
		return
	}
	if in.ours() {
		_ = in.send(&nats.Msg{Header: nats.Header{headerAccepted: {c.node}}})
	}
	go func() {
		defer c.served.leave(in.reply)
		defer cancel()
		if ttl := timeLeft(in.header); ttl > 0 {
			var end context.CancelFunc
			ctx, end = context.WithTimeout(ctx, ttl)
			defer end()
		}
		work(ctx)
	}()
}

func (s *served) admit(reply string, w waiter) *ipc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ipc.Refuse(ipc.CodeUnavailable, "the supervisor is stopping")
	case s.running >= maxServed:
		e := ipc.Refuse(ipc.CodeBusy, "%d requests of other nodes are being served, which is the limit", s.running)
		e.RetryAfter = 100 * time.Millisecond
		return e
	}
	s.running++
	s.idle.Add(1)
	if reply != "" {
		s.open[reply] = w
	}
	return nil
}

func (s *served) leave(reply string) {
	s.mu.Lock()
	delete(s.open, reply)
	s.running--
	s.mu.Unlock()
	s.idle.Done()
}

// cancel ends a request that nobody waits for any more.
func (s *served) cancel(reply string) {
	s.mu.Lock()
	w, open := s.open[reply]
	s.mu.Unlock()
	if open {
		w.cancel()
	}
}

// cancelFrom ends the requests of a supervisor that is gone.
func (s *served) cancelFrom(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.open {
		if w.from == id {
			w.cancel()
		}
	}
}

// close waits for those that are being served, whose ctx has ended.
func (s *served) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.idle.Wait()
}

// serveCall serves a call to an exported topic.
func (c *cluster) serveCall(topic string, in inbound) {
	call, counts := decodeCall(topic, in), c.exports.tally(topic)
	c.serve(in, func(ctx context.Context) {
		data, err := c.site.Serve(ctx, call)
		if err == nil {
			m := answerMsg(data, in.ours())
			err = in.send(m)
			if err == nil {
				counts.done.Add(1)
				return
			}
			err = unsendable(in.conn, err, len(m.Data))
		}
		counts.failed.Add(1)
		in.refuse(c.signed(ipc.AsError(err, ipc.CodeHandlerError)))
	})
}

// unsendable says that an answer cannot be sent.
func unsendable(conn *nats.Conn, err error, size int) error {
	e := ipc.Errorf(ipc.CodeUnavailable, "the answer of %d bytes cannot be sent: %v", size, err)
	if errors.Is(err, nats.ErrMaxPayload) {
		e = ipc.Errorf(ipc.CodeFrameTooLarge, "the answer of %d bytes is more than the %d that the NATS server takes, its max_payload; raise that, or put it into a blob and answer its name",
			size, conn.MaxPayload())
	}
	e.Outcome, e.Origin = ipc.Done, ipc.Supervisor
	return e
}

// signed says of an error which node it comes from.
func (c *cluster) signed(err *ipc.Error) *ipc.Error {
	e := *err
	switch e.Origin {
	case "", ipc.Supervisor:
		e.Origin = ipc.Supervisor
		e.Message += " (node " + c.node + ")"
	default:
		e.Origin += "@" + c.node
	}
	return &e
}

// answerMsg is data on its way: the bytes under "payload", if that is all there is, else JSON. Whoever does not speak ixt is not told
// which.
func answerMsg(data ipc.Data, ours bool) *nats.Msg {
	payload, ok := data.Payload()
	switch {
	case ok && ours:
		return &nats.Msg{Data: payload, Header: nats.Header{headerBytes: {"1"}}}
	case ok:
		return &nats.Msg{Data: payload}
	}
	return &nats.Msg{Data: data.JSON()}
}

// dataOf is its inverse, for an answer to one of ours.
func dataOf(m *nats.Msg) ipc.Data {
	if m.Header.Get(headerBytes) != "" {
		return ipc.PayloadData(m.Data)
	}
	return ipc.ObjectData(m.Data)
}

// errorMsg is an error as micro services send it; the data has all of it.
func errorMsg(e *ipc.Error) *nats.Msg {
	m := &nats.Msg{Header: nats.Header{micro.ErrorCodeHeader: {e.Code}, micro.ErrorHeader: {e.Message}}}
	m.Data, _ = json.Marshal(e)
	return m
}
