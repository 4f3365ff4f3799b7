package process

import (
	"fmt"
	"syscall"
	"time"
)

// Exit says how a process ended and what it used up. The figures include the descendants that the process itself waited for.
type Exit struct {
	Code       int            // the exit code; -1 if a signal ended the process
	Signal     syscall.Signal // the signal that ended it; 0 if it exited
	CoreDumped bool           // the signal left a core dump
	MaxRSS     int64          // peak resident memory in bytes; on Linux never less than the parent's own peak when it forked
	UserTime   time.Duration  // processor time in the program
	SystemTime time.Duration  // processor time in the kernel on its behalf
}

// Success reports an exit with code 0.
func (e Exit) Success() bool { return e.Code == 0 && e.Signal == 0 }

// String is "exit 1", "signal: killed" or "signal: segmentation fault (core dumped)".
func (e Exit) String() string {
	switch {
	case e.CoreDumped:
		return fmt.Sprintf("signal: %v (core dumped)", e.Signal)
	case e.Signal != 0:
		return fmt.Sprintf("signal: %v", e.Signal)
	case e.Code < 0:
		return "exit unknown"
	}
	return fmt.Sprintf("exit %d", e.Code)
}

// collect reaps a process that has died. That nothing can be said of it means that something else in this program has reaped it.
func collect(pid int) Exit {
	var status syscall.WaitStatus
	var usage syscall.Rusage
	for {
		_, err := syscall.Wait4(pid, &status, 0, &usage)
		if err == nil {
			break
		}
		if err != syscall.EINTR {
			return Exit{Code: -1}
		}
	}
	e := Exit{
		Code:       status.ExitStatus(), // -1 unless it exited
		MaxRSS:     int64(usage.Maxrss) * maxRSSUnit,
		UserTime:   time.Duration(usage.Utime.Nano()),
		SystemTime: time.Duration(usage.Stime.Nano()),
	}
	if status.Signaled() {
		e.Signal, e.CoreDumped = status.Signal(), status.CoreDump()
	}
	return e
}
