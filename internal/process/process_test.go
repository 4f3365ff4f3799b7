package process_test

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/process"
)

func TestExit(t *testing.T) {
	s := newSpawner(t)
	for _, c := range []struct {
		script  string
		code    int
		signal  syscall.Signal
		text    string
		success bool
	}{
		{"exit 0", 0, 0, "exit 0", true},
		{"exit 1", 1, 0, "exit 1", false},
		{"exit 255", 255, 0, "exit 255", false},
		{"kill -KILL $$", -1, syscall.SIGKILL, "signal: killed", false},
		{"kill -TERM $$", -1, syscall.SIGTERM, "signal: terminated", false},
	} {
		t.Run(c.script, func(t *testing.T) {
			p := start(t, s, shell(c.script))
			awaitExit(t, p)
			exit := p.Reap()
			require.Equal(t, c.code, exit.Code)
			require.Equal(t, c.signal, exit.Signal)
			require.Equal(t, c.text, exit.String())
			require.Equal(t, c.success, exit.Success())
			require.Equal(t, exit, p.Reap(), "reaping again says the same")
		})
	}
}

func TestExitString(t *testing.T) {
	for text, e := range map[string]process.Exit{
		"exit 0":          {},
		"exit unknown":    {Code: -1},
		"signal: aborted": {Code: -1, Signal: syscall.SIGABRT},
		"signal: segmentation fault (core dumped)": {Code: -1, Signal: syscall.SIGSEGV, CoreDumped: true},
	} {
		require.Equal(t, text, e.String())
	}
}

func TestExitUsage(t *testing.T) {
	const size = 96 << 20
	p := start(t, newSpawner(t), role(t, "burn", strconv.Itoa(size), "50ms"))
	awaitExit(t, p)
	exit := p.Reap()
	require.True(t, exit.Success(), exit)
	require.GreaterOrEqual(t, exit.MaxRSS, int64(size))
	require.Less(t, exit.MaxRSS, int64(100*size), "bytes, not kibibytes taken for bytes twice")
	require.Positive(t, exit.UserTime)
	require.Less(t, exit.UserTime+exit.SystemTime, bound)
}

func TestStartPassesTheSpecAndNothingElse(t *testing.T) {
	t.Setenv("SECRET", "of the parent")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	spec := process.Spec{
		Path:   "/bin/sh",
		Args:   []string{"-c", `pwd; echo "$0 $1 $KEY[$SECRET]"; read x || echo "no input"; echo complaint >&2`, "a  b", "c"},
		Env:    []string{"KEY=value"},
		Dir:    dir,
		Stderr: w,
	}
	p, out := startPiped(t, newSpawner(t), spec)
	require.NoError(t, w.Close())
	require.Equal(t, dir+"\na  b c value[]\nno input\n", out.rest())
	complaints := make([]byte, 100)
	n, err := r.Read(complaints)
	require.NoError(t, err)
	require.Equal(t, "complaint\n", string(complaints[:n]))
	require.True(t, p.Reap().Success())
}

func TestStartFindsAPathRelativeToDir(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run"), []byte("#!/bin/sh\nexit 7\n"), 0o755))
	p := start(t, newSpawner(t), process.Spec{Path: "./run", Dir: dir})
	require.Equal(t, 7, p.Reap().Code)
}

func TestSignalReachesTheLeaderAlone(t *testing.T) {
	p, out := startPiped(t, newSpawner(t), shell("sleep 1000 & echo ready; wait"))
	require.Equal(t, "ready", out.line())
	require.NoError(t, p.Signal(syscall.SIGKILL))
	awaitExit(t, p)
	require.True(t, p.GroupAlive(), "the leader's child lives")

	require.NoError(t, p.SignalGroup(syscall.SIGKILL))
	require.Empty(t, out.rest())
	require.Eventually(t, func() bool { return !p.GroupAlive() }, bound, time.Millisecond)
	require.NoError(t, p.Signal(syscall.SIGTERM), "a zombie takes a signal without effect")
	require.NoError(t, p.SignalGroup(syscall.SIGTERM))
	require.Equal(t, syscall.SIGKILL, p.Reap().Signal)
}

func TestReapKillsTheRestOfTheGroup(t *testing.T) {
	p, out := startPiped(t, newSpawner(t), shell(`trap "" TERM HUP; sleep 1000 & (sleep 1000 & sleep 1000) & echo ready; exit 3`))
	require.Equal(t, "ready", out.line())
	awaitExit(t, p)
	require.True(t, p.GroupAlive())
	require.Equal(t, 3, p.Reap().Code)
	require.Empty(t, out.rest(), "the end of the output says that the grandchildren are dead")
	require.False(t, p.GroupAlive())
}

func TestSignalGroupReachesALeaderThatLeft(t *testing.T) {
	p, out := startPiped(t, newSpawner(t), role(t, "leave"))
	require.Equal(t, "left", out.line())
	require.False(t, p.GroupAlive())
	require.NoError(t, p.SignalGroup(syscall.SIGKILL))
	awaitExit(t, p)
	require.Equal(t, syscall.SIGKILL, p.Reap().Signal)
}

func TestSignalAfterReap(t *testing.T) {
	p := start(t, newSpawner(t), shell("exit 0"))
	p.Reap()
	require.ErrorIs(t, p.Signal(syscall.SIGKILL), process.ErrGone)
	require.ErrorIs(t, p.SignalGroup(syscall.SIGKILL), process.ErrGone)
}

func TestStartTime(t *testing.T) {
	s := newSpawner(t)
	first, second := start(t, s, shell("exit 0")), start(t, s, shell("exit 0"))
	require.Positive(t, first.StartTime())
	require.GreaterOrEqual(t, second.StartTime(), first.StartTime())
	began := first.StartTime()
	first.Reap()
	require.Equal(t, began, first.StartTime())
}

func TestClosedSpawner(t *testing.T) {
	s := process.NewSpawner()
	s.Close()
	s.Close()
	_, err := s.Start(shell("exit 0"))
	require.ErrorIs(t, err, process.ErrClosed)
}

func TestConcurrentUse(t *testing.T) {
	s := newSpawner(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10 {
				p, err := s.Start(process.Spec{Path: "/bin/sleep", Args: []string{"1000"}})
				if err != nil {
					t.Error(err)
					return
				}
				exits := make(chan process.Exit, 2)
				for range 2 {
					go func() { exits <- p.Reap() }()
				}
				for err == nil { // until a Reap has won
					err = p.SignalGroup(syscall.SIGKILL)
				}
				if err != process.ErrGone {
					t.Error(err)
				}
				if a, b := <-exits, <-exits; a != b || a.Signal != syscall.SIGKILL {
					t.Errorf("exits differ: %v, %v", a, b)
				}
			}
		})
	}
	group.Wait()
}
