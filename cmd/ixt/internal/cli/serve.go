package cli

import (
	"context"
	"errors"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"time"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

// viewer shows what a supervisor does.
type viewer interface {
	watch(*supervisor.Supervisor) // returns when the supervisor's journal has ended
	say(string)                   // shows a line of our own
}

// sameInterrupt is how long after an interrupt another one counts as the same: what starts us may pass on a signal that the
// terminal has sent to us as well.
const sameInterrupt = 250 * time.Millisecond

// supervise runs sup until ctx ends, as Ctrl-C makes it; one more Ctrl-C while it stops makes it stop at once. The greeting is
// the first that v shows, once the supervisor is up.
func supervise(ctx context.Context, sup *supervisor.Supervisor, greeting string, v viewer) error {
	var beside sync.WaitGroup
	over := make(chan struct{})
	beside.Go(func() {
		select {
		case <-sup.Up():
			v.say(greeting)
		case <-over: // it never came up, and Run says why
		}
		v.watch(sup)
	})
	beside.Go(func() {
		select {
		case <-ctx.Done():
		case <-over:
			return
		}
		v.say("stopping in order; Ctrl-C stops at once")
		select {
		case <-time.After(sameInterrupt):
		case <-over:
			return
		}
		again, ignore := signal.NotifyContext(context.Background(), interrupts()...)
		defer ignore()
		select {
		case <-again.Done():
			v.say("stopping at once")
			sup.StopNow()
		case <-over:
		}
	})
	err := sup.Run(ctx)
	close(over)
	beside.Wait()
	return err
}

// serve supervises with the admin socket open for others, and the window if there is one.
func serve(ctx context.Context, sup *supervisor.Supervisor, door net.Listener, stateDir, greeting string, v viewer, w *window) error {
	info := admin.Info{Version: version(), Protocol: ipc.Version, PID: os.Getpid(), Started: time.Now(), StateDir: stateDir}
	answering, end := context.WithCancel(context.WithoutCancel(ctx))
	answered := make(chan error, 1)
	go func() {
		select {
		case <-sup.Up():
			answered <- w.answer(answering, admin.NewServer(sup, info), door)
		case <-answering.Done(): // it never came up, and says why itself
			answered <- door.Close()
		}
	}()
	err := supervise(ctx, sup, greeting, v)
	end()
	return errors.Join(err, <-answered)
}

// private supervises while f uses the supervisor, which nobody else knows of.
func private(ctx context.Context, opts *supervisor.Options, v viewer, f func(*supervisor.Supervisor) error) error {
	sup, err := supervisor.New(opts)
	if err != nil {
		return err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	used := make(chan error, 1)
	go func() {
		defer end()
		used <- f(sup)
	}()
	if err := supervise(life, sup, "", v); err != nil {
		return err // and f had nothing to use
	}
	return <-used
}

// listen opens the admin socket for a supervisor of ours.
func (a *app) listen(op *manifest.Operator) (net.Listener, error) {
	return admin.Listen(admin.SocketPaths(a.socket, op.Admin.Socket), op.Admin.Group)
}

// version is that of the module ixt was built from; "(devel)" from a checkout.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
