package process

import "syscall"

// WithEnv finds nothing: macOS does not let the environment of every process be seen.
func WithEnv(...string) []Stray { return nil }

// signalExactly leaves a moment between the look and the signal; macOS has nothing better.
func signalExactly(pid int, start uint64, sig syscall.Signal) error {
	if start == 0 || startTime(pid) != start {
		return ErrGone
	}
	err := syscall.Kill(pid, sig)
	if err == syscall.ESRCH {
		return ErrGone
	}
	return err
}
