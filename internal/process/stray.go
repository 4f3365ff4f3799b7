package process

import "syscall"

// A Stray is a process that is no child of ours, or has left the group it was started in, as daemons do. It is named by values that can
// be kept: its start time tells it from a later process with the same pid.
type Stray struct {
	PID       int
	StartTime uint64 // as in [Process.StartTime]
}

// Kill sends SIGKILL to the process alone. It returns ErrGone if the process has ended, even if its pid is in use again.
func (s Stray) Kill() error { return signalExactly(s.PID, s.StartTime, syscall.SIGKILL) }
