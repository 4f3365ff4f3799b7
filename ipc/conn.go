package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Handler serves one request of the peer. No other request shares its goroutine meanwhile; its ctx ends with the request's TTL,
// with the peer's cancel and with the connection. req and what it points to are its own until it returns, strings and bytes in them for
// good. The data it returns is a JSON object or nil; an error that is not an *Error becomes HANDLER_ERROR. It must return soon after
// ctx ends: until then the request counts as open.
type Handler func(ctx context.Context, req *Envelope) (Data, error)

// Options configure a Conn. The zero value and nil are usable.
type Options struct {
	// Handler serves the peer's requests. Default: every request is answered UNKNOWN_TYPE.
	Handler Handler
	// Relay is asked first about the peer's service requests, on the goroutine that read them, so it must not block. It may take one
	// over, and answer it later by Request.Answer; false leaves it to Handler. Default: all are.
	Relay func(req *Request, batch *Batch) bool
	// Notify receives the peer's notifications, cancel excepted, in order, on the reading goroutine: it must not block.
	// Default: they are ignored.
	Notify func(*Envelope)
	// MaxFrame bounds frames in both directions, in bytes. Default: DefaultMaxFrame.
	MaxFrame int
	// MaxInbound bounds the peer's open requests; one more is answered BUSY. Default: 1024.
	MaxInbound int
	// MaxQueued bounds the bytes that wait to be written; a caller then waits for room. A single frame is always let
	// in, so that MaxFrame can be larger. Default: 4 MiB.
	MaxQueued int
	// Direct is for handlers that are mostly quick: a request that comes alone is served by the goroutine that read it, and of many
	// only as many are served at a time as there are processors. Others wait a few milliseconds until it shows that a handler is
	// not quick; that is tried again after a pause, longer each time. Default: false. It has no effect on streams that are no sockets.
	Direct bool
	// Memory is where large payloads are received. Default: one that nobody shares.
	Memory *Memory
	// GoneCode is the code of calls in flight when the connection ends. Default: CodeModuleGone.
	GoneCode string
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Handler == nil {
		out.Handler = func(_ context.Context, req *Envelope) (Data, error) { return Data{}, UnknownType(req) }
	}
	if out.Notify == nil {
		out.Notify = func(*Envelope) {}
	}
	if out.MaxFrame <= 0 {
		out.MaxFrame = DefaultMaxFrame
	}
	if out.MaxInbound <= 0 {
		out.MaxInbound = 1024
	}
	if out.MaxQueued <= 0 {
		out.MaxQueued = 4 << 20
	}
	if out.Memory == nil {
		out.Memory = new(Memory)
	}
	if out.GoneCode == "" {
		out.GoneCode = CodeModuleGone
	}
	return out
}

// UnknownType is the answer to a request whose type this side does not serve.
func UnknownType(req *Envelope) *Error {
	return Errorf(CodeUnknownType, "requests of type %q are not served here", req.Type)
}

// ErrClosed is the reason of a connection that this side closed.
var ErrClosed = errors.New("connection closed by this side")

// Conn is one end of a connection between host and module. Both ends use the same Conn: requests and answers flow in both
// directions at once, matched by id, and every call ends with a result or an *Error.
//
// All methods are safe for concurrent use. Nothing moves until Run is called.
type Conn struct {
	rw   io.ReadWriteCloser
	opts Options
	born time.Time

	mu       sync.Mutex // guards state; never held across I/O, a wait, or a callback but Watch.Written
	state    state
	maxFrame atomic.Int64  // bytes
	attaches atomic.Bool   // extension "raw": this side may send attachments,
	takes    atomic.Bool   // and takes them
	wake     chan struct{} // tells the writing goroutine that frames wait
	done     chan struct{} // closed when the connection has ended
	workers  sync.WaitGroup

	burst  burst     // what is being written; of whoever has claimed the stream (state.writing)
	socket *socket   // the stream, if it is one; else nil
	frames sync.Pool // of *outgoing that have been written
	large  sync.Pool // likewise, those with much memory
	asked  sync.Pool // of *call that have been answered
	spares sync.Pool // of *Request that are empty
	drafts sync.Pool // of *decoded for envelopes that are encoded and forgotten
}

// NewConn returns a Conn over rw, which it owns from here on. Closing rw must end a Read and a Write that are under way.
// opts may be nil.
func NewConn(rw io.ReadWriteCloser, opts *Options) *Conn {
	c := &Conn{
		rw:   rw,
		opts: opts.withDefaults(),
		born: time.Now(),
		wake: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
	c.state = state{
		calls:     make(map[int64]*call),
		inbound:   make(map[int64]*Request),
		maxQueued: c.opts.MaxQueued,
	}
	c.state.limits.clock = newClock(c.endLate)
	c.maxFrame.Store(int64(c.opts.MaxFrame))
	c.socket = newSocket(rw)
	return c
}

// age is for taking times: to ask for the time of day as well costs twice as much.
func (c *Conn) age() time.Duration { return time.Since(c.born) }

// Run reads and writes until the connection ends, and returns why it did once every handler has returned: nil after
// Drain, io.EOF if the peer closed it, ErrClosed after Close, the cause of ctx if ctx ended, a *ProtocolError if the peer
// broke the wire. It must be called exactly once.
func (c *Conn) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.end(context.Cause(ctx)) })
	defer stop()
	written := make(chan struct{})
	c.update(func(s *state) { s.running = true })
	go func() {
		defer close(written)
		c.writeLoop()
	}()
	if c.socket != nil {
		c.startReading()
		<-c.done
	} else {
		c.end(c.readLoop(&reading{frames: newFrameReader(c.rw, c.opts.Memory)}))
	}
	<-written
	c.workers.Wait()
	return c.Err()
}

// Done is closed when the connection has ended and every call on it has its result. Handlers may still be returning.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection ended, as Run does; nil while it lives.
func (c *Conn) Err() error {
	var err error
	c.update(func(s *state) { err = s.cause })
	return err
}

// Close ends the connection at once. What is queued or in flight ends with an error.
func (c *Conn) Close() { c.end(ErrClosed) }

// Drain lets the connection end by itself as soon as every open request of the peer has been answered and the answers are
// written. New requests of the peer are answered UNAVAILABLE, calls of this side still go out.
func (c *Conn) Drain() {
	c.update(func(s *state) {
		if s.phase == open {
			s.phase = draining
		}
	})
}

// Enable switches on what init negotiated: the extensions both sides named and the frame limit (0 keeps it).
func (c *Conn) Enable(extensions []string, maxFrame int) {
	c.attaches.Store(slices.Contains(extensions, ExtRaw))
	c.takes.Store(slices.Contains(extensions, ExtRaw))
	c.update(func(s *state) {
		s.cancels = slices.Contains(extensions, ExtCancel)
		if maxFrame > 0 {
			c.maxFrame.Store(int64(maxFrame))
		}
	})
}

// Interrupt ends the ctx of every request of the peer, of those that are open and of those to come. Their answers still go out.
func (c *Conn) Interrupt() { c.update((*state).interrupt) }

// Stats are counters over a connection's life, and how it stands.
type Stats struct {
	Late    int // answers that nobody waited for any more
	Skipped int // frames over the limit
	Open    int // requests of the peer without an answer yet
	// Stalled is how long the peer has not taken what is being written to it; 0 if nothing is.
	Stalled time.Duration
}

// Stats returns the counters as they stand.
func (c *Conn) Stats() Stats {
	var out Stats
	c.update(func(s *state) {
		out = s.stats
		out.Open = len(s.inbound)
		if !s.stalls.IsZero() {
			out.Stalled = time.Since(s.stalls)
		}
	})
	return out
}

// Serves reports whether the peer's request with this id is without an answer yet.
func (c *Conn) Serves(id int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.inbound[id] != nil
}

// Serving calls f for each of the peer's requests that are without an answer, in any order. f must neither block nor keep or change
// what it is given.
func (c *Conn) Serving(f func(*Envelope)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.state.inbound {
		f(&r.Envelope)
	}
}

// end closes the connection for the given reason; the first reason stands.
func (c *Conn) end(cause error) {
	c.update(func(s *state) {
		if s.phase == draining && errors.Is(cause, io.EOF) && s.nothingQueued() {
			cause = nil // the peer took the last answer and left before the writing goroutine could say that it was out
		}
		if s.phase != closed {
			s.phase, s.cause = closed, cause
		}
	})
}

// gone is the error of a call that had been written when the connection ended.
func (c *Conn) gone(cause error) *Error {
	var broken *ProtocolError
	if errors.As(cause, &broken) {
		return Errorf(CodeProtocolError, "the connection ended with the call in flight: %v", cause)
	}
	e := Errorf(c.opts.GoneCode, "the connection ended with the call in flight: %s", endText(cause))
	e.Outcome = Unknown
	return e
}

func endText(cause error) string {
	if cause == nil || errors.Is(cause, io.EOF) {
		return "the peer is gone"
	}
	return fmt.Sprint(cause)
}
