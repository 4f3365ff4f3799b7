package supervisor

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"syscall"
	"time"

	"github.com/ixtrun/ixt/internal/logs"
)

// unkillable is how long a process may take to vanish after SIGKILL before it is reported and left behind.
const unkillable = 10 * time.Second

// end takes a process down and clears away all that belongs to it; it returns how the process exited. Every step is bounded,
// and StopNow skips the gentle ones:
//
//	stop routing, drain ─> shutdown message ─> end of the connection ─> SIGTERM ─> SIGKILL ─> reap, last lines of the log
func (in *instance) end(p *incarnation, why string) (exit string) {
	defer in.fence(p)()
	if p.provider != nil {
		idle := in.s.router.detach(p.provider)
		if !p.died && !p.hung && !p.stopped() && !isDone(p.talk.Done()) {
			if in.snapshot().State != Draining {
				in.enter(Draining, why)
			}
			in.wait(in.s.drainTime(in.module), idle, p.exited(), p.talk.Done())
			in.enter(Stopping, why)
			in.shutdown(p)
		}
	}
	if p.proc == nil {
		if p.byHand && in.snapshot().State != Stopping {
			in.enter(Stopping, why)
		}
		in.hangUp(p)
		in.forget(p, "")
		return ""
	}
	if s := in.snapshot().State; s == Draining || s != Stopping && !isDone(p.exited()) { // it may have died while it drained
		in.enter(Stopping, why)
	}
	if !isDone(p.exited()) {
		if p.hung {
			in.dump(p)
		}
		in.hangUp(p)
		in.signal(p)
	}
	if !isDone(p.exited()) {
		exit = fmt.Sprintf("process %d did not die within %s of SIGKILL; it is left behind", p.proc.PID(), unkillable)
		in.warn(exit)
		in.forget(p, exit)
		return exit
	}
	p.exit, p.ended = p.proc.Reap(), time.Now()
	p.outOfMemory = p.proc.OOMKilled()
	in.clean(p)
	// Killing the group has closed the module's end: what it had answered before is read to the end before hanging up.
	if p.provider != nil {
		in.wait(lingering, p.talk.Done())
	}
	in.hangUp(p)
	p.output.close()
	exit = p.exit.String()
	if last := in.lastWords(p); last != "" && p.died && !p.exit.Success() {
		exit += ": " + last
	}
	in.s.journal.add(Entry{Kind: KindExit, Module: in.id.Name, Instance: in.id.Instance, PID: p.proc.PID(), Text: exit})
	in.forget(p, exit)
	return exit
}

// clean has what the process left behind outside of its group looked for.
func (in *instance) clean(p *incarnation) {
	select {
	case in.s.marks <- p.mark:
	case <-in.s.patience.Done():
	}
}

// forget clears from the record what belonged to the process.
func (in *instance) forget(p *incarnation, exit string) {
	p.output.close()
	in.mu.Lock()
	defer in.mu.Unlock()
	r := &in.record
	r.PID, r.Started, r.SDK, r.Limit, r.Socket, r.ReadyAt = 0, 0, "", 0, "", time.Time{}
	if exit != "" {
		r.LastExit = exit
	}
	if in.provider != nil {
		r.Late += in.provider.talk.Stats().Late
	}
	in.provider = nil
}

func (in *instance) warn(text string) {
	in.s.journal.add(Entry{Kind: KindWarning, Module: in.id.Name, Instance: in.id.Instance, Text: text})
}

// shutdown tells the module to finish and waits until it has exited, or its time is up.
func (in *instance) shutdown(p *incarnation) {
	limit := in.module.Stop.Shutdown.Std()
	bounded, cancel := context.WithTimeout(in.s.patience, limit)
	defer cancel()
	ctx, unwatch := untilExit(bounded, p)
	defer unwatch()
	err := p.talk.Shutdown(ctx, limit)
	switch {
	case errors.Is(err, errNoConversation):
		return
	case err != nil: // it has exited, the connection is broken, or the time is up
		in.wait(lingering, p.exited(), bounded.Done())
		return
	}
	gone := p.exited()
	if p.byHand {
		gone = p.talk.Done()
	}
	select {
	case <-gone:
	case <-bounded.Done():
	}
}

// signal asks and then forces the process's group to end.
func (in *instance) signal(p *incarnation) {
	_ = p.proc.SignalGroup(syscall.SIGTERM) // it may be gone already; the wait tells
	_ = p.proc.SignalGroup(syscall.SIGCONT) // a stopped process hears nothing else
	in.wait(in.module.Stop.Term.Std(), p.exited())
	if isDone(p.exited()) {
		return
	}
	_ = p.proc.SignalGroup(syscall.SIGKILL)
	awaitExit(p.proc.Exited())
}

// awaitExit waits for a process that has been sent SIGKILL.
func awaitExit(exited <-chan struct{}) {
	timer := time.NewTimer(unkillable)
	defer timer.Stop()
	select {
	case <-exited:
	case <-timer.C:
	}
}

func (in *instance) hangUp(p *incarnation) {
	if p.talk == nil {
		return
	}
	if err := p.talk.Close(); err != nil {
		in.warn(err.Error())
	}
}

// wait returns when one of the channels is closed, the time is up, or nothing is waited for any more.
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
	case <-in.s.patience.Done():
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

// goEnd is how a Go program begins to say that it ends; what follows are its goroutines.
var goEnd = regexp.MustCompile(`^(panic|fatal error|SIG[A-Z]+): `)

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
		if goEnd.MatchString(words) {
			break
		}
	}
	return words
}
