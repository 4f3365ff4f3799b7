//go:build unix && (!linux || race)

package ipc

import "syscall"

// canBeBrief says that there are brief system calls: see pace.
const canBeBrief = false

func briefRead(fd uintptr, p []byte) (int, error)  { return syscall.Read(int(fd), p) }
func briefWrite(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }
