package process

import "golang.org/x/sys/unix"

// Of sys/proc.h.
const (
	flagTraced   = 0x800 // P_TRACED
	stateStopped = 4     // SSTOP
)

func traced(pid int) bool {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	return err == nil && info.Proc.P_flag&flagTraced != 0
}

func stopped(pid int) bool {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	return err == nil && info.Proc.P_stat == stateStopped && info.Proc.P_flag&flagTraced == 0
}
