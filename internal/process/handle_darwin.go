package process

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// A handle is a queue of kernel events on which the death of one process arrives.
type handle struct{ queue int }

// newHandle makes the queue before the process, so that running out of files fails the start and leaves no child unwatched. A queue
// is not inherited by children.
func newHandle() (*handle, error) {
	queue, err := unix.Kqueue()
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(queue)
	return &handle{queue}, nil
}

func (h *handle) sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// dieWithParent does nothing: macOS has no parent-death signal. The guard kills the process.
func dieWithParent(*syscall.SysProcAttr) {}

func (h *handle) attach() {}

// awaitExit blocks a thread until the process has died. (waitid will not do: on macOS it also returns when the process stops.) The
// one event is the death or, if the process was dead before we asked, an error that says there is none: either is the answer.
func (h *handle) awaitExit(pid int) {
	events := make([]unix.Kevent_t, 1)
	unix.SetKevent(&events[0], pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	events[0].Fflags = unix.NOTE_EXIT
	change := events[0]
	for {
		_, err := unix.Kevent(h.queue, []unix.Kevent_t{change}, events, nil)
		if err != unix.EINTR {
			return
		}
	}
}

func (h *handle) signal(pid int, sig syscall.Signal) error {
	err := syscall.Kill(pid, sig)
	if err == syscall.ESRCH {
		return nil // a zombie: unlike Linux, macOS does not let it be signalled
	}
	return err
}

func (h *handle) release() { _ = unix.Close(h.queue) }

// isFormatError reports whether the system did not take the file for a program.
func isFormatError(err syscall.Errno) bool {
	return err == unix.ENOEXEC || err == unix.EBADARCH || err == unix.EBADEXEC || err == unix.EBADMACHO
}
