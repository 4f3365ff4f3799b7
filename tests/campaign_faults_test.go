package tests

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ixtrun/ixt/internal/process"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// deadly are the signals that end a module, each as often as it is drawn.
var deadly = []syscall.Signal{
	syscall.SIGKILL, syscall.SIGKILL, syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGSEGV, syscall.SIGQUIT, syscall.SIGABRT,
}

// kill sends a process a deadly signal.
func (a *actor) kill() {
	pause(a.over, a.within(200*time.Millisecond))
	victim, sig := a.victim(), pick(a, deadly)
	a.strike(victim, sig)
}

// freeze stops a process, and lets it go on or kills it somewhat later.
func (a *actor) freeze() {
	pause(a.over, a.within(time.Second))
	victim, d, end := a.victim(), a.within(2*time.Second), syscall.SIGCONT
	if a.chance(30) {
		end = syscall.SIGKILL
	}
	if a.strike(victim, syscall.SIGSTOP) {
		pause(a.over, d)
		a.strike(victim, end)
	}
}

// victim picks an instance and returns its process; 0 if it has none.
func (a *actor) victim() int {
	s := pick(a, a.stations)
	n := a.dice.IntN(s.instances)
	m, err := a.Module(s.name)
	if err != nil || n >= len(m.Instances) {
		return 0
	}
	return m.Instances[n].PID
}

// strike signals a process if it is still a child of this one, and not a stranger that was given the number of a dead one.
func (c *campaign) strike(pid int, sig syscall.Signal) bool {
	if pid == 0 || !process.Descends(pid, os.Getpid()) || syscall.Kill(pid, sig) != nil {
		return false
	}
	c.losses.count(unix.SignalName(sig))
	return true
}

// command restarts a station, or stops it and starts it again. No two actors command the same stations, so that what one of them
// finds is what it left.
func (a *actor) command(stations []*station) {
	pause(a.over, a.within(500*time.Millisecond))
	s := pick(a, stations)
	switch {
	case a.chance(20):
		a.give("brief restart", a.within(50*time.Millisecond), func(ctx context.Context) error { return a.Restart(ctx, s.name) }, ipc.CodeUnavailable, ipc.CodeTimeout)
	case s.spared || a.chance(50):
		a.give("restart", patience, func(ctx context.Context) error { return a.Restart(ctx, s.name) }, ipc.CodeUnavailable)
	default:
		a.stopAndStart(s)
	}
}

// stopAndStart also checks that nothing of a stopped module is left.
func (a *actor) stopAndStart(s *station) {
	a.give("stop", patience, func(ctx context.Context) error { return a.Stop(ctx, s.name) })
	m, err := a.Module(s.name)
	if err != nil {
		a.violated("the status of %s: %v", s.name, err)
	}
	for _, in := range m.Instances {
		if in.PID != 0 || in.State != supervisor.Stopped {
			a.violated("%s/%03d is %s with process %d after it was stopped", s.name, in.Instance, in.State, in.PID)
		}
	}
	pause(a.over, a.within(200*time.Millisecond))
	a.give("start", patience, func(context.Context) error { return a.Start(s.name) })
}

// give gives a command and checks that it ends in time, with success or with one of the codes.
func (a *actor) give(what string, limit time.Duration, command func(context.Context) error, codes ...string) {
	ctx, cancel := context.WithTimeout(a.ctx, limit)
	defer cancel()
	began := time.Now()
	err := command(ctx)
	a.commands.count(what)
	if took := time.Since(began); took > limit+lateness {
		a.violated("a %s took %s, %s were allowed", what, took, limit)
	}
	var known bool
	for _, code := range codes {
		known = known || errors.Is(err, &ipc.Error{Code: code})
	}
	if err != nil && !known {
		a.violated("a %s of %s ended with %v", what, limit, err)
	}
}
