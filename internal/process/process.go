package process

import (
	"errors"
	"sync"
	"syscall"
)

// ErrGone is the answer to signalling a process that has been reaped.
var ErrGone = errors.New("process: already reaped")

// Process is a child and the process group it leads.
type Process struct {
	pid       int
	startTime uint64
	exited    chan struct{}
	keeper    *keeper    // is told before the process is collected; nil if nobody guards it
	oom       oomCounter // as it was when the process started

	mu        sync.Mutex // held while signalling and reaping, so that a signal always precedes the reuse of the pid
	handle    *handle
	killed    bool // a SIGKILL of ours came before its death was known
	reaped    bool
	exit      Exit
	oomKilled bool
}

// newProcess takes over a child that h was made for.
func newProcess(pid int, h *handle) *Process {
	h.attach()
	p := &Process{pid: pid, startTime: startTime(pid), handle: h, exited: make(chan struct{})}
	go p.watch()
	return p
}

// PID returns the process id, which is the id of its group too. It names this process only until Reap.
func (p *Process) PID() int { return p.pid }

// StartTime tells this process from a later one with the same pid. On Linux it is in clock ticks since the machine started, on macOS
// in microseconds since 1970; 0 if the system would not say.
func (p *Process) StartTime() uint64 { return p.startTime }

// Exited returns a channel that is closed when the process has died. It is a zombie then, which keeps its pid and its group id from
// being reused until Reap; others of its group may still live.
func (p *Process) Exited() <-chan struct{} { return p.exited }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// watch ends when the process has.
func (p *Process) watch() {
	p.handle.awaitExit(p.pid)
	close(p.exited)
}

// Reap waits until the process has died, sends SIGKILL to what is left of its group, and collects the process. Later calls return
// the same Exit. Members of the group are dying when Reap returns, not necessarily dead.
func (p *Process) Reap() Exit {
	<-p.exited
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = signalGroup(p.pid, syscall.SIGKILL) // an empty group is the usual case
		p.keeper.withdraw(p.pid)
		p.exit = collect(p.pid)
		p.oomKilled = p.exit.Signal == syscall.SIGKILL && !p.killed && p.oom.grew()
		p.reaped = true
		p.handle.release()
	}
	return p.exit
}

// Signal sends a signal to the process alone. It returns ErrGone after Reap; a process that has died but is not reaped takes any
// signal without effect.
func (p *Process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return ErrGone
	}
	p.note(sig)
	return p.handle.signal(p.pid, sig)
}

// SignalGroup sends a signal to all of the process's group, and to the process itself should it have moved to another group. It
// returns ErrGone after Reap, and nil if all the group has died.
func (p *Process) SignalGroup(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return ErrGone
	}
	p.note(sig)
	err := signalGroup(p.pid, sig)
	if group, lookup := syscall.Getpgid(p.pid); lookup == nil && group != p.pid {
		return errors.Join(err, p.handle.signal(p.pid, sig))
	}
	return err
}

// note remembers that the process, if it lives, is about to die at our hands.
func (p *Process) note(sig syscall.Signal) {
	if sig == syscall.SIGKILL && !isClosed(p.exited) {
		p.killed = true
	}
}

// GroupAlive reports whether any member of the process's group lives; a zombie does not. It reads the system's process table, so ask
// seldom. After Reap it is false.
func (p *Process) GroupAlive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.reaped && groupAlive(p.pid)
}
