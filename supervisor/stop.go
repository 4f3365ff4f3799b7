package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/ixtrun/ixt/internal/logs"
)

// unkillable is how long a process may take to vanish after SIGKILL before it is reported and left behind.
const unkillable = 10 * time.Second

// end takes a process down and clears away all that belongs to it; every step is bounded, and hurry skips the gentle ones:
//
//	stop routing, drain ─> shutdown message ─> end of the connection ─> SIGTERM ─> SIGKILL ─> reap, last lines of the log
func (in *instance) end(p *incarnation, why string) string {
	rules := in.module.Stop
	if p.provider != nil {
		idle := in.s.router.detach(p.provider)
		if !p.died && !isDone(p.talk.Done()) {
			in.enter(Draining, why)
			in.wait(rules.Drain.Std(), idle, p.exited(), p.talk.Done())
			in.enter(Stopping, why)
			in.shutdown(p)
		}
	}
	if p.proc == nil {
		in.hangUp(p)
		return ""
	}
	if !isDone(p.exited()) {
		in.hangUp(p)
		if in.snapshot().State != Stopping {
			in.enter(Stopping, why)
		}
		in.signal(p)
	}
	exit, ok := in.reap(p)
	if !ok {
		return exit
	}
	// Killing the group has closed the module's end: what it had answered before is read to the end before hanging up.
	if p.provider != nil {
		in.wait(lingering, p.talk.Done())
	}
	in.hangUp(p)
	p.output.close()
	if last := in.lastWords(p); last != "" && p.died && !p.exit.Success() {
		exit += ": " + last
	}
	in.update(func(r *record) { r.PID, r.Started, r.LastExit, r.provider = 0, 0, exit, nil })
	in.s.journal.add(Entry{Kind: KindExit, Module: in.id.Name, Instance: in.id.Instance, PID: p.proc.PID(), Text: exit})
	return exit
}

// shutdown tells the module to finish and waits until it has exited, or its time is up.
func (in *instance) shutdown(p *incarnation) {
	limit := in.module.Stop.Shutdown.Std()
	ctx, cancel := context.WithTimeout(in.s.hurry, limit)
	defer cancel()
	err := p.talk.Shutdown(ctx, limit)
	switch {
	case errors.Is(err, errNoConversation):
		return
	case err != nil: // the connection is broken, or the time is up
		in.wait(lingering, p.exited())
		return
	}
	gone := p.exited()
	if p.byHand {
		gone = p.talk.Done()
	}
	select {
	case <-gone:
	case <-ctx.Done():
	}
}

// signal asks and then forces the process's group to end.
func (in *instance) signal(p *incarnation) {
	_ = p.proc.SignalGroup(syscall.SIGTERM) // it may be gone already; the wait tells
	in.wait(in.module.Stop.Term.Std(), p.exited())
	if isDone(p.exited()) {
		return
	}
	_ = p.proc.SignalGroup(syscall.SIGKILL)
	timer := time.NewTimer(unkillable)
	defer timer.Stop()
	select {
	case <-p.exited():
	case <-timer.C:
	}
}

// reap collects the process; false means that it would not die and is left behind, which the journal says.
func (in *instance) reap(p *incarnation) (string, bool) {
	if !isDone(p.exited()) {
		text := fmt.Sprintf("process %d did not die within %s of SIGKILL; it is left behind", p.proc.PID(), unkillable)
		in.s.journal.add(Entry{Kind: KindWarning, Module: in.id.Name, Instance: in.id.Instance, PID: p.proc.PID(), Text: text})
		in.hangUp(p)
		return text, false
	}
	p.exit = p.proc.Reap()
	return p.exit.String(), true
}

func (in *instance) hangUp(p *incarnation) {
	if p.talk != nil {
		p.talk.Close()
	}
}

// wait returns when one of the channels is closed, the time is up or there is hurry.
func (in *instance) wait(limit time.Duration, events ...<-chan struct{}) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var any [3]<-chan struct{} // nil channels block for ever
	copy(any[:], events)
	select {
	case <-any[0]:
	case <-any[1]:
	case <-any[2]:
	case <-timer.C:
	case <-in.s.hurry.Done():
	}
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// lastWords is the line that most likely says why the process ended: a panic, else the last error, else the last plain line
// on stderr. Structured lines below error are its ordinary log.
func (in *instance) lastWords(p *incarnation) string {
	var words, level string
	for _, e := range in.s.logs.Recent(in.id.Name, in.id.Instance, 100) {
		isError := e.Level == logs.LevelError
		if e.Stream != logs.Stderr || e.Received.Before(p.born) || !isError && (level == logs.LevelError || e.Fields != nil) {
			continue
		}
		words, level = e.Message, e.Level
		if strings.HasPrefix(words, "panic: ") || strings.HasPrefix(words, "fatal error: ") {
			break
		}
	}
	return words
}
