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

func briefRead(fd uintptr, p []byte) (int, error) {
	return brief(unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))))
}

func briefWrite(fd uintptr, p []byte) (int, error) {
	return brief(unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))))
}

func brief(n, _ uintptr, failed syscall.Errno) (int, error) {
	if failed != 0 {
		return 0, failed
	}
	return int(n), nil
}
