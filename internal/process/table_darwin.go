package process

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	maxRSSUnit = 1 // macOS counts resident memory in bytes
	zombie     = 5 // SZOMB of sys/proc.h
)

func startTime(pid int) uint64 {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0
	}
	t := info.Proc.P_starttime
	return uint64(t.Sec)*1e6 + uint64(t.Usec)
}

func parentOf(pid int) (int, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0, err
	}
	return int(info.Eproc.Ppid), nil
}

// groupAlive reads the process table; without one the answer is the cautious one.
func groupAlive(group int) bool {
	members, err := unix.SysctlKinfoProcSlice("kern.proc.pgrp", group)
	if err != nil {
		return true
	}
	for _, m := range members {
		if m.Proc.P_stat != zombie {
			return true
		}
	}
	return false
}

// signalGroup: macOS answers ESRCH or EPERM if all members are zombies.
func signalGroup(group int, sig syscall.Signal) error {
	err := syscall.Kill(-group, sig)
	if err == syscall.ESRCH || err == syscall.EPERM && !groupAlive(group) {
		return nil
	}
	return err
}
