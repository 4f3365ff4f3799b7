package process

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A handle is how Linux lets us hold on to one process: a pidfd, which becomes readable when the process dies. Kernels before 5.3
// have none; then the pid alone has to do, which it does as long as the process is not reaped.
type handle struct {
	pidfd int      // -1 if there is none
	file  *os.File // owns pidfd and has it in the runtime's poller
}

func newHandle() (*handle, error) { return &handle{pidfd: -1}, nil }

// sysProcAttr asks clone for the pidfd, so there is no moment in which the pid alone names the child.
func (h *handle) sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, PidFD: &h.pidfd}
}

// dieWithParent has the child set its parent-death signal and then kill itself if its parent is no longer the one that forked it (the
// syscall package does so): a parent that dies in between is noticed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// attach puts the pidfd of the started child into the poller, which takes only non-blocking files.
func (h *handle) attach() {
	if h.pidfd < 0 {
		return
	}
	_ = unix.SetNonblock(h.pidfd, true) // where it fails awaitExit falls back
	h.file = os.NewFile(uintptr(h.pidfd), "pidfd")
}

// awaitExit returns when the process has died. It parks the goroutine in the poller or, without a pidfd that can be polled, blocks a
// thread.
func (h *handle) awaitExit(pid int) {
	if h.file != nil {
		conn, err := h.file.SyscallConn()
		if err == nil {
			err = conn.Read(func(uintptr) bool { return hasExited(pid, unix.WNOHANG) })
		}
		if err == nil {
			return
		}
	}
	hasExited(pid, 0)
}

// hasExited looks for the death of a child without reaping it. No such child is a dead one, reaped by somebody else.
func hasExited(pid, options int) bool {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT|options, nil)
		if err != unix.EINTR {
			return err != nil || info.Signo != 0
		}
	}
}

func (h *handle) signal(pid int, sig syscall.Signal) error {
	if h.pidfd < 0 {
		return gone(syscall.Kill(pid, sig))
	}
	return gone(unix.PidfdSendSignal(h.pidfd, sig, nil, 0))
}

func (h *handle) release() {
	if h.file != nil {
		_ = h.file.Close() // nothing was written
	}
	h.file, h.pidfd = nil, -1
}

// gone translates "no such process": the process was reaped by somebody else.
func gone(err error) error {
	if err == syscall.ESRCH {
		return ErrGone
	}
	return err
}

// isFormatError reports whether the system did not take the file for a program.
func isFormatError(err syscall.Errno) bool { return err == syscall.ENOEXEC }
