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
// change the first, and fill sees to it that the second follows.
type unit struct {
	s *Supervisor
	m *manifest.Module

	turn chan struct{} // held by a restart from beginning to end: two of them do not mix

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
	return &unit{s: s, m: m, turn: make(chan struct{}, 1), changed: make(chan struct{})}
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

func (u *unit) wants() desire {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.desired
}

// start makes the module run; it does not wait for it to be ready. Starting what runs retries what rests in backoff or failed.
func (u *unit) start() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.desired = running
	for _, in := range u.instances {
		in.restart("start asked for", Backoff, Failed, Stopped)
	}
	u.fill()
}

// wake starts a module that nobody has started or stopped; false if there was nothing to do.
func (u *unit) wake() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.desired != asleep {
		return false
	}
	u.desired = running
	u.fill()
	return true
}

// fill adds the instances that are wanted and missing. u.mu is held.
func (u *unit) fill() {
	for u.desired == running && !u.s.stopping() && len(u.instances) < u.m.Scale.Instances {
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
		kick: make(chan string, 1),
		done: make(chan struct{}),
	}
	in.record = record{State: Starting, Since: time.Now()}
	life, stop := context.WithCancel(context.Background()) // ended by stop alone, so that the order of stopping is kept
	in.stop = stop
	u.instances = append(u.instances, in)
	go func() {
		defer close(in.done)
		defer u.remove(in)
		defer stop()
		in.run(life)
	}()
	return in
}

// remove forgets an instance whose life is over, and starts another one if that is wanted meanwhile.
func (u *unit) remove(in *instance) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.instances = slices.DeleteFunc(u.instances, func(other *instance) bool { return other == in })
	u.fill()
}

// halt makes the module stop and waits until nothing of it is left, or ctx ends; it goes on stopping then. The last command
// counts: a start that comes meanwhile starts it again.
func (u *unit) halt(ctx context.Context) error {
	u.mu.Lock()
	u.desired = halted
	instances := slices.Clone(u.instances)
	for _, in := range instances {
		in.stop()
	}
	u.mu.Unlock()
	return awaitEnd(ctx, instances...)
}

func awaitEnd(ctx context.Context, instances ...*instance) error {
	for _, in := range instances {
		select {
		case <-in.done:
		case <-ctx.Done():
			return ipc.Refuse(ipc.CodeTimeout, "%s has not ended yet; it goes on stopping", in.id)
		}
	}
	return nil
}

// restart replaces every process, one after the other: the other instances go on taking calls meanwhile. A module that does
// not run is started. It waits until the new processes are ready.
func (u *unit) restart(ctx context.Context) error {
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-ctx.Done():
		return ipc.AsError(ctx.Err(), ipc.CodeTimeout)
	}
	before := u.list()
	u.start()
	for _, in := range u.list() {
		var err error
		if slices.Contains(before, in) {
			err = u.replace(ctx, in)
		} else {
			err = in.settled(ctx, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// startFirst is the value of replace.mode that brings the successor up before the old instance is drained.
const startFirst = "start-first"

// replace restarts one instance and waits until its successor is ready or has failed to start.
func (u *unit) replace(ctx context.Context, old *instance) error {
	if u.m.Replace.Mode != startFirst || old.snapshot().State != Ready {
		return old.settled(ctx, old.restart("restart asked for"))
	}
	u.mu.Lock()
	if u.desired != running {
		u.mu.Unlock()
		return ipc.Refuse(ipc.CodeUnavailable, "%s was stopped", u.m.Name)
	}
	next := u.add()
	u.mu.Unlock()
	if err := next.settled(ctx, 0); err != nil {
		next.stop()
		return err
	}
	old.stop()
	return awaitEnd(ctx, old)
}

// restart asks for a new process now, for a reason, if the state is one of those given; none given means any. It returns how many restarts
// the instance will have had when that process is there. Asking twice before it happens is asking once.
func (in *instance) restart(why string, from ...State) (restarts int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	state := in.record.State
	if state == Waiting || state == Starting || len(from) > 0 && !slices.Contains(from, state) {
		return in.record.Restarts // a new process is on its way, or none is wanted
	}
	select {
	case in.kick <- why:
	default:
	}
	return in.record.Restarts + 1
}

// yields reports whether the instance drains for a successor.
func (in *instance) yields() bool {
	return in.snapshot().State == Draining && in.unit.wants() == running
}

// settled waits until the instance is ready after at least so many restarts, or rests: then its reason is the error.
func (in *instance) settled(ctx context.Context, restarts int) error {
	for {
		_, changed := in.unit.ready()
		if r := in.snapshot(); r.Restarts >= restarts {
			switch r.State {
			case Ready, Unready:
				return nil
			case Waiting:
				if r.Socket != "" || in.module.Scale.Singleton {
					return nil // for a person, or another supervisor, who may take long
				}
			case Backoff, Failed:
				return ipc.Refuse(ipc.CodeUnavailable, "%s did not come back: %s", in.id, r.Why)
			case Stopped:
				return ipc.Refuse(ipc.CodeUnavailable, "%s was stopped%s", in.id, because(r.Why))
			}
		}
		select {
		case <-changed:
		case <-in.done:
			return ipc.Refuse(ipc.CodeUnavailable, "%s was stopped", in.id)
		case <-ctx.Done():
			return ipc.AsError(ctx.Err(), ipc.CodeTimeout)
		}
	}
}
