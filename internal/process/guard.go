package process

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// guardShell runs the guard.
const guardShell = "/bin/sh"

// guardScript is for any POSIX shell and starts no program. Its arguments are the groups to begin with, one for each slot; a line
// "SLOT GROUP" on standard input replaces one. Group 0 is none. Slots make both cheap, where a list of groups to cut out of is not.
//
// Only the shell's own kill will do, for there are programs of that name that take "-1234" for "-1", which is everybody. A shell without
// one makes no guard: it ends at once.
const guardScript = `# Kills process groups once its standard input ends, for then the program that started them is dead.
trap '' HUP INT QUIT TERM TSTP
PATH=/dev/null
kill -0 "$$" || exit
last=-1
for group do
	last=$((last + 1))
	eval "group$last=$group"
done
while read -r slot group; do
	last=$((slot > last ? slot : last))
	eval "group$slot=$group"
done
while :; do
	case $last in -1) exit ;; esac
	eval "group=\$group$last"
	case $group in '' | 0 | 1) ;; *) kill -KILL "-$group" "$group" ;; esac
	last=$((last - 1))
done
`

// guardEnd bounds how long a guard that was killed is waited for. Only one that hangs in the kernel takes that long.
const guardEnd = 5 * time.Second

// A guard is a helper process that kills groups of processes once this program is dead, however it died: no one else has the write end
// of the pipe that the guard reads, so its end says so. Of this program's files the guard has only that pipe.
//
// It leads a group of its own and ignores what a terminal or a shutdown sends, so that it outlives us. It stays in our session though:
// when we die its group is an orphan, and the system wakes an orphaned group of which a member is stopped.
//
// # Why no stranger is killed
//
// A group is listed from the moment it was forked until just before its leader is collected, and as long as the leader is not
// collected, nothing else can get its number. When we are dead, the leader dies too and the system collects it; yet a number is free
// only if nobody is left in the group either, and is given out again only after all others had their turn. That takes far longer than
// the guard, which the system wakes as soon as it closes our files.
type guard struct {
	read, write *os.File
	deaf        chan struct{} // closed when it has missed a message; what it knows is wrong then
	proc        *Process      // nil until it is started
}

// newGuard makes the pipe. A guard can be told of groups before it is started.
func newGuard() (*guard, error) {
	r, w, err := os.Pipe() // closes on exec: no child holds the write end
	if err != nil {
		return nil, err
	}
	return &guard{read: r, write: w, deaf: make(chan struct{})}, nil
}

// start starts the process with the groups there were when the pipe was made.
func (g *guard) start(shell string, groups []int) (*Process, error) {
	defer g.read.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	h, err := newHandle()
	if err != nil {
		return nil, err
	}
	argv := []string{shell, "-c", guardScript, "guard"}
	for _, group := range groups {
		argv = append(argv, strconv.Itoa(group))
	}
	pid, err := syscall.ForkExec(shell, argv, &syscall.ProcAttr{
		Dir:   "/",
		Files: []uintptr{g.read.Fd(), null.Fd(), null.Fd()}, // Fd makes the read end blocking, as a shell needs it
		Sys:   h.sysProcAttr(),
	})
	if err != nil {
		h.release()
		return nil, &os.PathError{Op: "start", Path: shell, Err: err}
	}
	return newProcess(pid, h), nil
}

// tell puts a group into a slot. It never waits: it fails if the guard is dead, or has not read for so long that the pipe is full.
func (g *guard) tell(slot, group int) error {
	conn, err := g.write.SyscallConn()
	if err != nil {
		return err
	}
	line := fmt.Appendf(nil, "%d %d\n", slot, group) // so short that a pipe takes all of it or nothing
	var refused error
	err = conn.Write(func(fd uintptr) bool {
		_, refused = syscall.Write(int(fd), line)
		return true // whatever the outcome: do not wait until there is room
	})
	if err == nil {
		err = refused
	}
	return err
}

// end kills the guard, if it is started, and collects it. The pipe is closed only then: a guard alive would take that for our death.
func (g *guard) end() Exit {
	defer g.write.Close()
	if g.proc == nil {
		return Exit{Code: -1}
	}
	_ = g.proc.Signal(syscall.SIGKILL) // ends a stopped one, too; it may be dead already
	timer := time.NewTimer(guardEnd)
	defer timer.Stop()
	select {
	case <-g.proc.Exited():
		return g.proc.Reap()
	case <-timer.C:
		return Exit{Code: -1}
	}
}
