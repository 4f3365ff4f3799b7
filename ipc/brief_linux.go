//go:build linux && !race

package ipc

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// canBeBrief says that there are brief system calls: see pace. The race detector has to see what orders one end's writes and the other's
// reads, so it gets ordinary ones.
const canBeBrief = true

// briefRead never waits, even if somebody has told the socket to: nobody could stop it, not even the garbage collector.
func briefRead(fd uintptr, p []byte) (int, error) {
	return brief(unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		unix.MSG_DONTWAIT, 0, 0))
}

// briefWrite never waits either.
func briefWrite(fd uintptr, p []byte) (int, error) {
	return brief(unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0))
}

func brief(n, _ uintptr, failed syscall.Errno) (int, error) {
	if failed != 0 {
		return 0, failed
	}
	return int(n), nil
}
