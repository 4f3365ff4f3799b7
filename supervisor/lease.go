package supervisor

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// Leases sees to it that of several supervisors one does what only one may. An Engine that is one is used as such; without it
// a module with singleton = true is like any other.
type Leases interface {
	// Hold waits until this supervisor has the lease of the name and no other has; an error is ctx's. waiting is told what it
	// waits for, as often as that changes, before Hold returns. lost is closed when the lease cannot be kept: what relies on it
	// must have ended LeaseGrace later, because then another supervisor may have it; nil is never lost. release gives it back, after
	// that what relies on it has ended; it must be called, once it is lost too, and returns at once.
	Hold(ctx context.Context, name string, waiting func(why string)) (lost <-chan struct{}, release func(), err error)
}

// LeaseGrace is how long an instance whose lease is lost has to end by itself; then its process is killed.
const LeaseGrace = 2 * time.Second

// lease is what an instance has of a singleton. The zero value is that of all other modules.
type lease struct {
	lost    <-chan struct{}
	release func()
}

var errLeaseLost = errors.New("its lease was lost")

// hold waits for the lease of a singleton. It is kept over a restart that comes at once, so that the module stays where it is.
func (in *instance) hold(life context.Context) error {
	leases, several := in.s.opts.Engine.(Leases)
	if !several || !in.module.Scale.Singleton || in.lease.release != nil && !isDone(in.lease.lost) {
		return nil
	}
	in.letGo()
	lost, release, err := leases.Hold(life, in.module.Name, func(why string) { in.enter(Waiting, why) })
	if err == nil {
		in.lease = lease{lost, release}
	}
	return err
}

// letGo lets another supervisor have the lease.
func (in *instance) letGo() {
	if in.lease.release != nil {
		in.lease.release()
	}
	in.lease = lease{}
}

// endOf is why a life, or what is left of it, has ended.
func endOf(life context.Context) ending {
	if errors.Is(context.Cause(life), errLeaseLost) {
		return ending{what: errLeaseLost.Error(), wanted: true}
	}
	return ending{what: "asked to stop"}
}

// leased is a life that ends with the lease, too.
func (in *instance) leased(life context.Context) (context.Context, func()) {
	if in.lease.lost == nil {
		return life, func() {}
	}
	ctx, cancel := context.WithCancelCause(life)
	lost, ended := in.lease.lost, make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-lost:
			cancel(errLeaseLost)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
	}
}

// fence kills the process LeaseGrace after its lease is lost, however its end stands then. It is over when the function that it
// returns has returned.
func (in *instance) fence(p *incarnation) func() {
	if in.lease.lost == nil || p.proc == nil {
		return func() {}
	}
	lost, over, ended := in.lease.lost, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-lost:
		case <-over:
			return
		}
		timer := time.NewTimer(LeaseGrace)
		defer timer.Stop()
		select {
		case <-timer.C:
			_ = p.proc.SignalGroup(syscall.SIGKILL) // it may be gone already
		case <-over:
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}
