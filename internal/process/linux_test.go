//go:build linux

package process_test

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/process"
)

// entries counts what a directory of /proc/self lists: threads or open files.
func entries(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/" + dir)
	require.NoError(t, err)
	return len(list)
}

func TestManyChildrenCostNoThreads(t *testing.T) {
	const children = 200
	s := newSpawner(t)
	before := entries(t, "task")
	var all []*process.Process
	for range children {
		all = append(all, start(t, s, process.Spec{Path: "/bin/sleep", Args: []string{"1000"}}))
	}
	require.Less(t, entries(t, "task")-before, 20)
	for _, p := range all {
		require.NoError(t, p.Signal(syscall.SIGKILL))
	}
	for _, p := range all {
		awaitExit(t, p)
		require.Equal(t, syscall.SIGKILL, p.Reap().Signal)
	}
}

func TestNoFileIsLeftOpen(t *testing.T) {
	s := newSpawner(t)
	directory := t.TempDir()
	use := func() {
		p, err := s.Start(shell("exit 0"))
		require.NoError(t, err)
		p.Reap()
		for _, bad := range []process.Spec{
			{Path: "/nowhere"},
			{Path: directory},
			{Path: "/bin/sh", Dir: "/nowhere"},
			{Path: "/bin/sh", Args: []string{"\x00"}},
		} {
			_, err := s.Start(bad)
			require.Error(t, err)
		}
	}
	use() // opens what the runtime keeps, such as its poller
	before := entries(t, "fd")
	for range 20 {
		use()
	}
	require.Equal(t, before, entries(t, "fd"))
}

func TestChildInheritsThreeFiles(t *testing.T) {
	lock, err := process.LockFile(filepath.Join(t.TempDir(), "lock"))
	require.NoError(t, err)
	defer func() { require.NoError(t, lock.Unlock()) }()
	inherited, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0) // open on exec, as is what a program is started with
	require.NoError(t, err)
	defer syscall.Close(inherited)
	s := newSpawner(t)
	start(t, s, shell("sleep 1000"))
	_, out := startPiped(t, s, shell("ls /proc/$$/fd"))
	require.Equal(t, "0\n1\n2\n", out.rest())
}

func TestFailedStartLeavesNoChild(t *testing.T) {
	s := newSpawner(t)
	_, err := s.Start(process.Spec{Path: "/nowhere"})
	require.Error(t, err)
	s.Close() // which ends the guard
	_, err = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
	require.Equal(t, syscall.ECHILD, err)
}

// The child leads its own group and is not signalled by anyone here: only the kernel can have killed it.
func TestKilledSpawnerTakesItsChildrenAlong(t *testing.T) {
	helper, out := startPiped(t, newSpawner(t), role(t, "spawn"))
	_, err := strconv.Atoi(out.line())
	require.NoError(t, err)
	require.NoError(t, helper.Signal(syscall.SIGKILL))
	require.Empty(t, out.rest(), "the end of the output says that the child is dead")
	require.Equal(t, syscall.SIGKILL, helper.Reap().Signal)
}

func TestChildSurvivesTheThreadThatAskedForIt(t *testing.T) {
	s := newSpawner(t)
	var p *process.Process
	var err error
	for p == nil {
		thread := make(chan int)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			id := syscall.Gettid()
			if id != os.Getpid() { // the first thread of a process never ends
				p, err = s.Start(process.Spec{Path: "/bin/sleep", Args: []string{"1000"}})
			}
			thread <- id
		}()
		task := filepath.Join("/proc/self/task", strconv.Itoa(<-thread))
		require.NoError(t, err)
		if p == nil {
			continue
		}
		require.Eventually(t, func() bool {
			_, err := os.Stat(task)
			return os.IsNotExist(err)
		}, bound, time.Millisecond)
	}
	require.NoError(t, p.Signal(syscall.SIGTERM))
	awaitExit(t, p)
	require.Equal(t, syscall.SIGTERM, p.Reap().Signal, "not SIGKILL, the parent-death signal")
}

// Were the Spawner not locked to its thread, that thread would soon be lent to a goroutine that ends it.
func TestChildrenSurviveThreadsThatEnd(t *testing.T) {
	s := newSpawner(t)
	var all []*process.Process
	for range 20 {
		all = append(all, start(t, s, process.Spec{Path: "/bin/sleep", Args: []string{"1000"}}))
		var group sync.WaitGroup
		for range 4 {
			group.Go(runtime.LockOSThread) // the goroutine ends, and its thread with it
		}
		group.Wait()
	}
	for _, p := range all {
		require.NoError(t, p.Signal(syscall.SIGTERM))
		require.Equal(t, syscall.SIGTERM, p.Reap().Signal, "not SIGKILL, the parent-death signal")
	}
}

// Linux lets a privileged process choose the next pid, so a pid can be reused at will.
func TestReusedPIDIsNotSignalled(t *testing.T) {
	const lastPID = "/proc/sys/kernel/ns_last_pid"
	s := newSpawner(t)
	for range 100 {
		old := start(t, s, shell("exit 0"))
		old.Reap()
		if err := os.WriteFile(lastPID, []byte(strconv.Itoa(old.PID()-1)), 0); err != nil {
			t.Skip("needs the right to choose pids: ", err)
		}
		stranger := start(t, s, process.Spec{Path: "/bin/sleep", Args: []string{"1000"}})
		if stranger.PID() != old.PID() {
			continue // another process was faster
		}
		require.ErrorIs(t, old.Signal(syscall.SIGKILL), process.ErrGone)
		require.ErrorIs(t, old.SignalGroup(syscall.SIGKILL), process.ErrGone)
		require.False(t, old.GroupAlive())
		old.Reap()
		require.NoError(t, stranger.Signal(syscall.SIGTERM))
		awaitExit(t, stranger)
		require.Equal(t, syscall.SIGTERM, stranger.Reap().Signal, "not SIGKILL, which was for the other")
		return
	}
	t.Skip("the machine is too busy for a pid to be reused")
}

func TestProgramNameThatLooksLikeStat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a) Z 1 (b")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho ready\nread x < \"$0\"\nsleep 1000\n"), 0o755))
	p, out := startPiped(t, newSpawner(t), process.Spec{Path: path, Env: os.Environ()})
	require.Equal(t, "ready", out.line())
	require.Positive(t, p.StartTime())
	require.True(t, p.GroupAlive())
	require.True(t, process.Descends(p.PID(), os.Getpid()))
}

func TestStartErrorLoaderMissing(t *testing.T) {
	const loader = "/lib/ld-of-another-system.so\x00"
	self, err := os.Executable()
	require.NoError(t, err)
	ours, err := os.ReadFile(self)
	require.NoError(t, err)
	program := append(ours[:64:64], make([]byte, 56)...) // our own header, and one segment that names the loader
	binary.NativeEndian.PutUint64(program[32:], 64)      // where the segments are described
	binary.NativeEndian.PutUint16(program[56:], 1)       // how many there are
	binary.NativeEndian.PutUint64(program[40:], 0)       // no sections
	binary.NativeEndian.PutUint16(program[60:], 0)
	binary.NativeEndian.PutUint16(program[62:], 0)
	binary.NativeEndian.PutUint32(program[64:], uint32(elf.PT_INTERP))
	binary.NativeEndian.PutUint64(program[64+8:], uint64(len(program)))
	binary.NativeEndian.PutUint64(program[64+32:], uint64(len(loader)))
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, append(program, loader...), 0o755))

	_, err = newSpawner(t).Start(process.Spec{Path: path})
	require.ErrorIs(t, err, syscall.ENOENT)
	require.EqualError(t, err, "cannot start "+path+": it needs the loader /lib/ld-of-another-system.so, which is not on this machine; "+
		"link it statically or build it for this system")
}
