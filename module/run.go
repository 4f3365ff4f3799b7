package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// Options configure Run and Serve. The zero value and nil are usable.
type Options struct {
	// MaxConcurrency is how many calls the host may have open here at once; Init may change it. Default: 64.
	MaxConcurrency int
	// Log takes the module's log, one JSON line per Write. Default: os.Stderr, which the supervisor reads.
	Log io.Writer
	// Grace is how long handlers and Shutdown may take together when the connection or ctx ends. Default: 5s. A shutdown
	// that the supervisor asks for brings its own time.
	Grace time.Duration
	// Socket is the path to connect to. Default: IXT_IPC_SOCKET of the environment.
	Socket string
	// ID is who the module is, "name:version/instance-001", if the host does not say. Default: IXT_MODULE_ID of the environment.
	ID string
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.MaxConcurrency <= 0 {
		out.MaxConcurrency = 64
	}
	if out.Log == nil {
		out.Log = os.Stderr
	}
	if out.Grace <= 0 {
		out.Grace = 5 * time.Second
	}
	return out
}

// ErrNotSupervised is returned by Run in a program that no supervisor has started.
var ErrNotSupervised = errors.New(ipc.EnvSocket + ` is not set: a module is started by its supervisor; ` +
	`"ixt run DIR" runs every module under DIR, "ixt dev manifest.toml" shows how to start this one by hand`)

// Run connects to the supervisor that started this program and serves m until it is done with it. opts may be nil.
// What it returns is told at Serve; beside that, ErrNotSupervised or why the supervisor could not be reached.
func Run(ctx context.Context, m Module, opts *Options) error {
	o := opts.withDefaults()
	if o.Socket == "" {
		o.Socket = os.Getenv(ipc.EnvSocket)
	}
	if o.Socket == "" {
		return ErrNotSupervised
	}
	if o.ID == "" {
		o.ID = os.Getenv(ipc.EnvModuleID)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", o.Socket)
	if err != nil {
		return fmt.Errorf("cannot connect to the supervisor: %w", err)
	}
	return Serve(ctx, conn, m, &o)
}

// Serve is one conversation of m with a host over rw, which it closes. opts may be nil.
//
// It returns nil after a life that ended in order: the host asked for shutdown, hung up (it died, and a module does not
// outlive its supervisor), or ctx ended. In the last two cases the ctx of every handler ends at once, and handlers and
// Shutdown have Options.Grace. It returns an error if Init or Shutdown failed, if the host broke the protocol, or if handlers
// did not return in time: it names them, and their goroutines are left behind, so the program should exit.
func Serve(ctx context.Context, rw io.ReadWriteCloser, m Module, opts *Options) error {
	s := newSession(rw, m, opts.withDefaults())
	ran := make(chan error, 1)
	go func() { ran <- s.conn.Run(context.WithoutCancel(ctx)) }()

	select {
	case <-s.conn.Done():
	case <-s.over:
	case <-ctx.Done():
	}
	s.finish(s.opts.Grace, false)
	s.conn.Drain()
	s.lastFrames()

	if stuck := s.stuck(); stuck != nil {
		return first(s.failure(), stuck)
	}
	return first(s.failure(), streamFailure(<-ran))
}

// flushTime bounds how long the last answers may take to leave for a host that does not read.
const flushTime = time.Second

// lastFrames lets the connection end by itself, for a while.
func (s *session) lastFrames() {
	flush := time.NewTimer(flushTime)
	defer flush.Stop()
	select {
	case <-s.conn.Done():
	case <-flush.C:
		s.conn.Close()
	}
}

// streamFailure is why a connection ended, if that is worth telling.
func streamFailure(err error) error {
	var broken *ipc.ProtocolError
	if errors.As(err, &broken) {
		return fmt.Errorf("the host broke the protocol: %s", broken.Reason)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
