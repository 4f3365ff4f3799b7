package supervisor

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// unit is a configured module: what is wanted of it, and the instances that are there. The two are kept apart; commands
// change the first and see to it that the second follows.
type unit struct {
	s *Supervisor
	m *manifest.Module

	command sync.Mutex // held by a command from beginning to end: two of them do not mix

	mu        sync.Mutex
	desired   desire
	instances []*instance
	changed   chan struct{} // closed and replaced when an instance's state changes
}

// desire is what is wanted of a module.
type desire int

const (
	asleep  desire = iota // nothing yet; a call may wake it where modules start on demand
	running               // by configuration, command or demand
	halted                // by command: nothing but a command starts it
)

func newUnit(s *Supervisor, m *manifest.Module) *unit {
	return &unit{s: s, m: m, changed: make(chan struct{})}
}

func (u *unit) announce() {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.changed)
	u.changed = make(chan struct{})
}

// ready reports whether an instance takes calls; if not, the channel tells when to ask again.
func (u *unit) ready() (bool, <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, in := range u.instances {
		if in.snapshot().State == Ready {
			return true, u.changed
		}
	}
	return false, u.changed
}

// list returns the instances that are there.
func (u *unit) list() []*instance {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.instances)
}

// start makes the module run; it does not wait for it to be ready. Starting what runs retries what rests in backoff or failed.
func (u *unit) start() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.s.stopping() {
		return
	}
	u.desired = running
	for _, in := range u.instances {
		switch in.snapshot().State {
		case Backoff, Failed:
			in.restart()
		}
	}
	for len(u.instances) < u.m.Scale.Instances {
		u.add()
	}
}

// add starts one more instance under the lowest free number. u.mu is held.
func (u *unit) add() *instance {
	number := 1
	for slices.ContainsFunc(u.instances, func(in *instance) bool { return in.id.Instance == number }) {
		number++
	}
	in := &instance{
		s: u.s, unit: u, module: u.m,
		id:   ipc.ModuleID{Name: u.m.Name, Version: u.m.Version, Instance: number},
		kick: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
	in.record = record{State: Starting, Since: time.Now()}
	var life context.Context
	life, in.stop = context.WithCancel(context.Background()) // ended by stop alone, so that the order of stopping is kept
	u.instances = append(u.instances, in)
	go func() {
		in.run(life)
		in.stop()
	}()
	return in
}

// stop ends the given instances and waits until nothing of them is left.
func (u *unit) stop(instances []*instance) {
	for _, in := range instances {
		in.stop()
	}
	for _, in := range instances {
		<-in.done
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.instances = slices.DeleteFunc(u.instances, func(in *instance) bool { return slices.Contains(instances, in) })
}

// halt makes the module stop and waits until it has.
func (u *unit) halt() {
	u.command.Lock()
	defer u.command.Unlock()
	u.mu.Lock()
	u.desired = halted
	u.mu.Unlock()
	u.stop(u.list())
}

// restart replaces every process, one after the other: the other instances go on taking calls meanwhile.
func (u *unit) restart(ctx context.Context) error {
	u.command.Lock()
	defer u.command.Unlock()
	for _, in := range u.list() {
		if err := u.replace(ctx, in); err != nil {
			return err
		}
	}
	u.start()
	return nil
}

// startFirst is the value of replace.mode that brings the successor up before the old instance is drained.
const startFirst = "start-first"

// replace restarts one instance and waits until its successor is ready or has failed to start.
func (u *unit) replace(ctx context.Context, old *instance) error {
	if u.m.Replace.Mode == startFirst && old.snapshot().State == Ready {
		u.mu.Lock()
		next := u.add()
		u.mu.Unlock()
		if err := next.settled(ctx, 0); err != nil {
			u.stop([]*instance{next})
			return err
		}
		u.stop([]*instance{old})
		return nil
	}
	before := old.snapshot().Restarts
	old.restart()
	return old.settled(ctx, before+1)
}

// restart asks for a new process now. Asking twice before it happens is asking once.
func (in *instance) restart() {
	select {
	case in.kick <- struct{}{}:
	default:
	}
}

// settled waits until the instance is ready after at least so many restarts, or rests: then its reason is the error.
func (in *instance) settled(ctx context.Context, restarts int) error {
	for {
		_, changed := in.unit.ready()
		r := in.snapshot()
		if r.Restarts >= restarts {
			switch r.State {
			case Ready, Unready:
				return nil
			case Backoff, Failed:
				return ipc.Errorf(ipc.CodeUnavailable, "%s did not come back: %s", in.id, r.Why)
			}
		}
		select {
		case <-changed:
		case <-in.done:
			return ipc.Errorf(ipc.CodeUnavailable, "%s was stopped", in.id)
		case <-ctx.Done():
			return ipc.AsError(ctx.Err(), ipc.CodeTimeout)
		}
	}
}
