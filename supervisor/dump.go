package supervisor

import (
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dumpTime is how long a hung process may take to tell where it hangs.
const dumpTime = time.Second

// dump asks a hung process for the stacks of its threads, which it writes to stderr, and waits until it has exited or its
// time is up.
func (in *instance) dump(p *incarnation) {
	sig := dumpSignal(in.module.Health.Dump, p.sdk)
	if sig == 0 {
		return
	}
	p.dumped = time.Now()
	_ = p.proc.Signal(sig) // it may be gone already
	in.wait(dumpTime, p.exited())
}

// dumpSignal is what makes a module dump; 0 if nothing does.
func dumpSignal(rule, sdk string) syscall.Signal {
	switch rule {
	case "none":
		return 0
	case "auto":
		if strings.HasPrefix(sdk, "ixt-") { // made with an SDK of ours, all of which dump on SIGQUIT
			return syscall.SIGQUIT
		}
		return 0
	default:
		return unix.SignalNum(rule)
	}
}
