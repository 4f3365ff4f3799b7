package module

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"github.com/ixtrun/ixt/ipc"
)

// phase of a session. It only grows.
type phase int

const (
	fresh    phase = iota // nothing came yet
	starting              // init came and is not answered
	serving               // calls are welcome
	ending                // calls are refused, open ones may finish
)

// session is one conversation with a host: it admits requests, runs the author's code for them and ends them in order.
//
//	ipc.Conn ── worker ──> serve ── admit ──> init, handle, event, health or shutdown ──> the answer
type session struct {
	module Module
	opts   Options
	conn   *ipc.Conn

	log     zerolog.Logger // until init has been answered without the module's id
	topics  *mux           // set with log when Init has succeeded, constant from there on
	host    *Host          // likewise
	started chan struct{}  // closed when Init has returned

	finishing sync.Once
	over      chan struct{} // closed when nothing more is to be expected from the host

	mu     sync.Mutex // guards what follows; never held while the author's code runs
	phase  phase
	born   bool  // Init succeeded: requests are welcome, Shutdown is owed
	limit  int   // calls at once
	calls  int   // that the author's code works on
	failed error // why the conversation failed; the first reason stands
}

func newSession(rw io.ReadWriteCloser, m Module, opts Options) *session {
	s := &session{
		module:  m,
		opts:    opts,
		log:     newLogger(opts.Log),
		over:    make(chan struct{}),
		started: make(chan struct{}),
	}
	s.conn = ipc.NewConn(rw, &ipc.Options{
		Handler:    s.serve,
		Direct:     true,
		MaxInbound: opts.MaxConcurrency + 1024, // Init may raise the limit, and what is over it must be refused here, not there
		GoneCode:   ipc.CodeCancelled,
	})
	return s
}

// stopWork ends the ctx of every handler.
func (s *session) stopWork() { s.conn.Interrupt() }

// serve answers one request of the host.
func (s *session) serve(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
	if req.Type == ipc.TypeEvent {
		s.awaitInit(ctx)
	}
	if err := s.admit(req); err != nil {
		return ipc.Data{}, err
	}
	switch req.Type {
	case ipc.TypeInit:
		return s.start(ctx, req)
	case ipc.TypeHandle:
		defer s.leave()
		return s.handle(ctx, req)
	case ipc.TypeEvent:
		return ipc.Data{}, s.event(ctx, req)
	case ipc.TypeHealthCheck:
		return s.health(ctx), nil
	default: // admit let nothing else in
		return ipc.Data{}, s.shutdown(req)
	}
}

// awaitInit keeps an event back that comes while Init runs, which may have subscribed to it: a handler finds the module ready.
func (s *session) awaitInit(ctx context.Context) {
	s.mu.Lock()
	runs := s.phase == starting
	s.mu.Unlock()
	if !runs {
		return
	}
	select {
	case <-s.started:
	case <-ctx.Done():
	}
}

// admit lets a request in or says why not.
func (s *session) admit(req *ipc.Envelope) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	isInit, isCall, isEvent := req.Type == ipc.TypeInit, req.Type == ipc.TypeHandle, req.Type == ipc.TypeEvent
	switch {
	case s.phase == ending && (isInit || isCall || isEvent):
		return refuse(ipc.CodeUnavailable, "the module is being stopped")
	case isInit && s.phase != fresh:
		return refuse(ipc.CodeInvalidInput, "init came twice")
	case isInit:
		s.phase = starting
	case !s.born:
		err := refuse(ipc.CodeProtocolError, "a %s came before init was answered", req.Type)
		s.fail(err)
		return err
	case isCall && s.calls >= s.limit:
		return refuse(ipc.CodeBusy, "%d calls are open, which is what the module takes at once", s.calls)
	case isCall:
		s.calls++
	case !isEvent && req.Type != ipc.TypeHealthCheck && req.Type != ipc.TypeShutdown:
		return bare(ipc.UnknownType(req))
	}
	return nil
}

// leave makes room for the next call before the answer to this one goes out: the host may send it as soon as it has that.
func (s *session) leave() {
	s.mu.Lock()
	s.calls--
	s.mu.Unlock()
}

// fail ends the conversation once what is open has been answered. The caller holds mu.
func (s *session) fail(err error) {
	if s.failed == nil {
		s.failed = err
	}
	s.end()
}

// end tells Serve that the host has nothing more to say. The caller holds mu.
func (s *session) end() {
	s.phase = ending
	select {
	case <-s.over:
	default:
		close(s.over)
	}
}

func (s *session) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// stuck names what the author's code has not returned from, or is nil.
func (s *session) stuck() error {
	var names []string
	s.conn.Serving(func(req *ipc.Envelope) {
		switch {
		case req.Type == ipc.TypeShutdown: // it waits for the others
		case req.Message != nil:
			names = append(names, req.Message.Topic)
		default:
			names = append(names, req.Type)
		}
	})
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fmt.Errorf("still running when the time to stop was over: %s; a handler must return soon after its ctx ends",
		strings.Join(names, ", "))
}

func refuse(code, format string, args ...any) *Error {
	return bare(ipc.Errorf(code, format, args...))
}
