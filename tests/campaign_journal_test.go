package tests

import (
	"context"
	"slices"
	"strings"

	"github.com/ixtrun/ixt/supervisor"
)

// follows are the states that may come after each, as docs/protocol.md, "Instance states", has them. A restart by command goes
// from stopping to the next start without a rest.
var follows = map[supervisor.State][]supervisor.State{
	supervisor.Waiting:  {supervisor.Waiting, supervisor.Starting, supervisor.Stopped},
	supervisor.Starting: {supervisor.Starting, supervisor.Ready, supervisor.Stopping, supervisor.Backoff, supervisor.Stopped},
	supervisor.Ready: {supervisor.Unready, supervisor.Draining, supervisor.Stopping, supervisor.Backoff, supervisor.Starting,
		supervisor.Waiting, supervisor.Stopped},
	supervisor.Unready: {supervisor.Unready, supervisor.Ready, supervisor.Draining, supervisor.Stopping, supervisor.Backoff,
		supervisor.Starting, supervisor.Waiting, supervisor.Stopped},
	supervisor.Draining: {supervisor.Stopping, supervisor.Backoff}, // it may end by itself while all stops
	supervisor.Stopping: {supervisor.Backoff, supervisor.Starting, supervisor.Waiting, supervisor.Stopped},
	supervisor.Backoff:  {supervisor.Starting, supervisor.Waiting, supervisor.Stopped},
	supervisor.Stopped:  {supervisor.Starting, supervisor.Waiting, supervisor.Stopped},
}

// annals follow the journal and check that it is one story: no state out of order, no process without an end, no failure
// without a report.
type annals struct {
	*campaign
	lives    map[place]*life
	complete chan struct{} // closed when the journal has ended; what follows may be read then

	last       uint64 // number of the newest entry
	gaps       int    // times that the journal was too fast
	spawned    int    // processes
	failures   int    // ends that were not wanted
	reports    int    // about them
	unreported int    // failures for whose report the disk was too slow
	broken     int    // failures by a broken wire
	exits      tally  // processes, by how they ended
}

// place is an instance.
type place struct {
	module   string
	instance int
}

// life is what an instance has come to.
type life struct {
	state supervisor.State
	pid   int // of the process that has not ended; 0: none
}

// keepAnnals reads the journal to its end.
func (c *campaign) keepAnnals() *annals {
	a := &annals{campaign: c, lives: map[place]*life{}, complete: make(chan struct{})}
	go func() {
		defer close(a.complete)
		for e := range c.Journal().Follow(context.Background(), 0) {
			if e.Seq != a.last+1 {
				a.gaps++
				clear(a.lives)
			}
			a.last = e.Seq
			a.enter(e)
		}
		a.conclude()
	}()
	return a
}

// enter checks one entry against what came before.
func (a *annals) enter(e supervisor.Entry) {
	at := place{e.Module, e.Instance}
	switch e.Kind {
	case supervisor.KindState:
		l := a.lives[at]
		if l == nil {
			l = &life{e.State, e.PID}
			a.lives[at] = l
		} else if !slices.Contains(follows[l.state], e.State) {
			a.violated("%s/%03d went from %s to %s: %s", e.Module, e.Instance, l.state, e.State, e.Text)
		}
		l.state = e.State
		a.beginOrEnd(e, l)
	case supervisor.KindExit:
		words := strings.SplitN(e.Text, ": ", 3)
		if words[0] == "signal" {
			words[0] = words[1]
		}
		a.exits.count(words[0])
		if l := a.lives[at]; l != nil && l.pid != e.PID {
			a.violated("process %d of %s/%03d ended, but %d was running", e.PID, e.Module, e.Instance, l.pid)
		} else if l != nil {
			l.pid = 0
		}
	case supervisor.KindCrash:
		a.reports++
	case supervisor.KindWarning:
		switch {
		case strings.Contains(e.Text, "did not die"):
			a.violated("%s/%03d: %s", e.Module, e.Instance, e.Text)
		case strings.HasPrefix(e.Text, "no crash report"):
			a.unreported++
		}
	}
}

// beginOrEnd sees to it that processes of an instance come one after the other.
func (a *annals) beginOrEnd(e supervisor.Entry, l *life) {
	switch {
	case e.State == supervisor.Starting && e.Text == "spawned":
		a.spawned++
		if l.pid != 0 {
			a.violated("%s/%03d has process %d and process %d", e.Module, e.Instance, l.pid, e.PID)
		}
		l.pid = e.PID
	case l.pid != 0 && slices.Contains([]supervisor.State{supervisor.Starting, supervisor.Waiting, supervisor.Backoff, supervisor.Stopped}, e.State):
		a.violated("process %d of %s/%03d ended without an entry", l.pid, e.Module, e.Instance)
	}
	if e.State == supervisor.Backoff {
		a.failures++
		if strings.HasPrefix(e.Text, "protocol error") {
			a.broken++
		}
	}
}

// conclude checks what must hold when the supervisor has stopped.
func (a *annals) conclude() {
	for at, l := range a.lives {
		if l.state != supervisor.Stopped || l.pid != 0 {
			a.violated("%s/%03d is %s in the end, with process %d", at.module, at.instance, l.state, l.pid)
		}
	}
	if a.gaps == 0 && a.reports+a.unreported != a.failures {
		a.violated("%d failures, %d crash reports, %d excuses for one", a.failures, a.reports, a.unreported)
	}
}
