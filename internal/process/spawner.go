package process

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

// ErrClosed is what Start returns once the Spawner is closed.
var ErrClosed = errors.New("process: the spawner is closed")

// Spec says what to start. The child reads its standard input from /dev/null and inherits no other file than the two named here.
type Spec struct {
	Path   string   // the program: absolute, or relative to Dir; $PATH is not searched
	Args   []string // its arguments, without the program's name in front
	Env    []string // its whole environment as KEY=value; nil is an empty one
	Dir    string   // its working directory; empty is the caller's
	Stdout *os.File // nil is /dev/null; stays open in the caller, who owns it
	Stderr *os.File // likewise
}

// Spawner starts processes from one operating system thread that lives as long as the Spawner does, because Linux sends the
// parent-death signal when the thread that forked ends, not when its process does. A goroutine's thread may end at any time.
type Spawner struct {
	keeper  *keeper
	memory  cgroupMounts
	forks   chan fork
	closing chan struct{}
	closed  chan struct{}
	once    sync.Once
}

// A fork is one order to the Spawner's thread. Its result is buffered, so the thread never waits for who ordered.
type fork struct {
	path   string
	argv   []string
	attr   *syscall.ProcAttr
	result chan forked
}

type forked struct {
	pid int
	err error
}

// NewSpawner starts the thread and the guard, a shell that kills what this program's processes have started should this program die
// without doing so. Close ends both. Files that this program was itself started with, above standard error, are marked
// close-on-exec, for otherwise every child would hold them open: a pipe of whoever started us would not end before the last child.
func NewSpawner() *Spawner { return newSpawner(guardShell) }

func newSpawner(shell string) *Spawner {
	keepInheritedFiles()
	s := &Spawner{
		keeper:  newKeeper(shell),
		memory:  findCgroupMounts("/"),
		forks:   make(chan fork),
		closing: make(chan struct{}),
		closed:  make(chan struct{}),
	}
	go s.run()
	return s
}

// Close ends the thread and the guard, and waits for both. Reap all processes first: those that are not, and their groups, get
// SIGKILL. Starts in progress are finished, later ones refused with ErrClosed. Closing twice is harmless.
func (s *Spawner) Close() {
	s.once.Do(func() {
		close(s.closing)
		<-s.closed
		s.keeper.close()
	})
}

// Unguarded delivers an error when no guard can be kept, as for want of /bin/sh. It is said once; processes are started as ever, and
// attempts at a guard go on. A guard that was killed and could be replaced is no news. Close closes the channel; nobody need read it.
func (s *Spawner) Unguarded() <-chan error { return s.keeper.news }

// Start starts a process as the leader of a new process group. The caller owns the process and must Reap it in the end. Starts
// are made one after the other, each until its program is executed; a file system that hangs holds up those behind. The error is a *StartError or ErrClosed, and then there is no process.
func (s *Spawner) Start(spec Spec) (*Process, error) {
	h, err := newHandle()
	if err != nil {
		return nil, newStartError(spec, err)
	}
	pid, err := s.fork(spec, h)
	if err != nil {
		h.release()
		if errors.Is(err, ErrClosed) {
			return nil, err
		}
		return nil, newStartError(spec, err)
	}
	p := newProcess(pid, h)
	p.keeper, p.oom = s.keeper, s.memory.oomCounter(pid)
	return p, nil
}

// fork has the thread fork and execute. Opening and closing of files is done here, off the thread.
func (s *Spawner) fork(spec Spec, h *handle) (pid int, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	files := []*os.File{null, spec.Stdout, spec.Stderr}
	fds := make([]uintptr, len(files))
	for i, f := range files {
		if f == nil {
			f = null
		}
		fds[i] = f.Fd() // makes a pipe of ours blocking, which is what a child expects of its output
	}
	defer runtime.KeepAlive(files)
	sys := h.sysProcAttr()
	dieWithParent(sys)

	order := fork{
		path:   spec.Path,
		argv:   append([]string{spec.Path}, spec.Args...),
		attr:   &syscall.ProcAttr{Dir: spec.Dir, Env: spec.Env, Files: fds, Sys: sys},
		result: make(chan forked, 1),
	}
	select {
	case s.forks <- order:
		result := <-order.result
		return result.pid, result.err
	case <-s.closing:
		return 0, ErrClosed
	}
}

// keepInheritedFiles keeps them from children. Every file opened by Go is close-on-exec anyhow. A system that will not list the files
// leaves things as they are.
func keepInheritedFiles() {
	entries, _ := os.ReadDir("/dev/fd")
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// run is the thread. A goroutine that returns while it is locked to its thread takes the thread with it; so it is not unlocked.
func (s *Spawner) run() {
	defer close(s.closed)
	runtime.LockOSThread()
	for {
		select {
		case o := <-s.forks:
			// ForkExec closes all other files in the child, and has reaped the child if it reports an error.
			pid, err := syscall.ForkExec(o.path, o.argv, o.attr)
			if err == nil {
				s.keeper.announce(pid)
			}
			o.result <- forked{pid, err}
		case <-s.closing:
			return
		}
	}
}
