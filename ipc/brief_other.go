//go:build unix && (!linux || race)

package ipc

import "golang.org/x/sys/unix"

// canBeBrief says that there are brief system calls: see pace.
const canBeBrief = false

func briefRead(fd uintptr, p []byte) (int, error)  { return unix.Read(int(fd), p) }
func briefWrite(fd uintptr, p []byte) (int, error) { return unix.Write(int(fd), p) }
