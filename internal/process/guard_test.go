package process_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/process"
)

// family is a leader and a child of it, which says that it is there. Neither can be asked to go.
const family = `trap "" HUP INT TERM; sleep 1000 & echo up; wait`

// survivor is a child that says so when it is asked to go.
const survivor = `sh -c 'trap "echo spared; kill \$!; exit" TERM; sleep 1000 & echo survivor $$; wait' & wait`

// families is how many of them a guarded supervisor starts.
const families = 3

// guarded is a supervisor: SHELL MODE. It names its guard, starts families that share its output, and waits to be killed.
func guarded(args []string) error {
	s := process.NewSpawnerWith(args[0])
	for range families {
		if _, err := s.Start(process.Spec{Path: "/bin/sh", Args: []string{"-c", family}, Env: os.Environ(), Stdout: os.Stdout}); err != nil {
			return err
		}
	}
	if err := trials[args[1]](s); err != nil {
		return err
	}
	return ready(fmt.Sprint("guard ", s.GuardPID()))
}

// trials are what a guard goes through before its supervisor dies.
var trials = map[string]func(*process.Spawner) error{
	"none": func(*process.Spawner) error { return nil },
	"asked to end": func(s *process.Spawner) error {
		var errs []error
		for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP} {
			errs = append(errs, syscall.Kill(s.GuardPID(), sig))
		}
		return errors.Join(errs...)
	},
	"withdrawal": func(s *process.Spawner) error {
		p, err := s.Start(process.Spec{Path: "/bin/sh", Args: []string{"-c", survivor}, Env: os.Environ(), Stdout: os.Stdout})
		if err == nil {
			s.Withdraw(p.PID())
		}
		return err
	},
	"stopped": func(s *process.Spawner) error { return syscall.Kill(s.GuardPID(), syscall.SIGSTOP) },
	"killed":  killGuard,
	"killed twice": func(s *process.Spawner) error {
		return errors.Join(killGuard(s), killGuard(s))
	},
	"too busy to listen": func(s *process.Spawner) error {
		guard := s.GuardPID()
		return errors.Join(syscall.Kill(guard, syscall.SIGSTOP), overwhelm(s, guard))
	},
}

func killGuard(s *process.Spawner) error {
	guard := s.GuardPID()
	return errors.Join(syscall.Kill(guard, syscall.SIGKILL), awaitOther(s, guard))
}

// awaitOther waits for another guard than this.
func awaitOther(s *process.Spawner, guard int) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(bound); time.Now().Before(deadline); <-tick.C {
		if pid := s.GuardPID(); pid != 0 && pid != guard {
			return nil
		}
	}
	return errors.New("the guard was not replaced")
}

// overwhelm fills the pipe of a guard that does not read, with a group that cannot exist, and waits for the other guard.
func overwhelm(s *process.Spawner, guard int) error {
	for range 100_000 {
		s.Announce(1 << 30)
		s.Withdraw(1 << 30)
		if s.GuardPID() != guard {
			return awaitOther(s, guard)
		}
	}
	return errors.New("the guard was not replaced")
}

// startGuarded starts a supervisor in a session of its own, as a service is. When it returns, the families are up and the trial is over;
// named are the processes that were announced by name: the guard, and the survivor if the trial makes one.
func startGuarded(t *testing.T, shell, trial string) (supervisor *exec.Cmd, named map[string]int, out output) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.SetReadDeadline(time.Now().Add(bound)))
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	spec := role(t, "guarded", shell, trial)
	supervisor = exec.Command(spec.Path, spec.Args...)
	supervisor.Env, supervisor.Stdout, supervisor.SysProcAttr = spec.Env, w, &syscall.SysProcAttr{Setsid: true}
	require.NoError(t, supervisor.Start())
	require.NoError(t, w.Close())
	t.Cleanup(func() {
		_ = supervisor.Process.Kill()
		_ = supervisor.Wait()
	})
	out, named = newOutput(t, r), map[string]int{}
	for up := 0; up < families || named["guard"] == 0 || trial == "withdrawal" && named["survivor"] == 0; {
		name, pid, isNamed := strings.Cut(out.line(), " ")
		if !isNamed {
			require.Equal(t, "up", name)
			up++
			continue
		}
		named[name], err = strconv.Atoi(pid)
		require.NoError(t, err, "%s %s", name, pid)
	}
	return supervisor, named, out
}

func TestKilledSupervisorLeavesNothing(t *testing.T) {
	for _, trial := range []string{"none", "asked to end", "stopped", "killed", "killed twice", "too busy to listen"} {
		t.Run(trial, func(t *testing.T) { testKilledSupervisor(t, "/bin/sh", trial) })
	}
}

// Each is called sh, by which some tell that they shall behave like one.
func TestGuardInEveryShell(t *testing.T) {
	for _, name := range []string{"dash", "bash", "busybox", "ksh93", "mksh", "yash", "zsh"} {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(name)
			if err != nil {
				t.Skip("not installed")
			}
			shell := filepath.Join(t.TempDir(), "sh")
			require.NoError(t, os.Symlink(path, shell))
			testKilledSupervisor(t, shell, "killed")
		})
	}
}

func testKilledSupervisor(t *testing.T, shell, trial string) {
	supervisor, named, out := startGuarded(t, shell, trial)
	gone := watchDeath(t, named["guard"])
	require.NoError(t, supervisor.Process.Kill())
	require.Empty(t, out.rest(), "the end of the output says that all of all families are dead")
	gone()
}

func TestReplacedGuardHarmsNobody(t *testing.T) {
	for _, trial := range []string{"killed", "too busy to listen"} {
		t.Run(trial, func(t *testing.T) {
			s := newSpawner(t)
			p := start(t, s, process.Spec{Path: "/bin/sleep", Args: []string{"1000"}})
			require.NoError(t, trials[trial](s))
			require.NoError(t, p.Signal(syscall.SIGTERM))
			awaitExit(t, p)
			require.Equal(t, syscall.SIGTERM, p.Reap().Signal, "not SIGKILL, which a guard sends")
		})
	}
}

func TestReapedProcessIsNotGuarded(t *testing.T) {
	s := newSpawner(t)
	one, other := start(t, s, shell("read x")), start(t, s, shell("sleep 1000"))
	require.Equal(t, []int{one.PID(), other.PID()}, s.Guarded())
	awaitExit(t, one)
	require.Equal(t, []int{one.PID(), other.PID()}, s.Guarded(), "others of its group may live")
	one.Reap()
	require.Equal(t, []int{0, other.PID()}, s.Guarded())
	third := start(t, s, shell("sleep 1000"))
	require.Equal(t, []int{third.PID(), other.PID()}, s.Guarded(), "places are used again")
}

func TestCloseKillsWhatIsNotReaped(t *testing.T) {
	s := newSpawner(t)
	p, out := startPiped(t, s, shell(family))
	require.Equal(t, "up", out.line())
	s.Close()
	require.Empty(t, out.rest())
	require.Equal(t, syscall.SIGKILL, p.Reap().Signal)
}

func TestUnguarded(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "quitter"), []byte("#!/bin/sh\nexit 7\n"), 0o755))
	for name, reason := range map[string]string{
		"missing": "start SHELL: no such file or directory",
		"quitter": "it ended: exit 7",
	} {
		t.Run(name, func(t *testing.T) {
			shell := filepath.Join(dir, name)
			s := process.NewSpawnerWith(shell)
			defer s.Close()
			p := start(t, s, process.Spec{Path: "/bin/sleep", Args: []string{"1000"}})
			select {
			case err := <-s.Unguarded():
				require.EqualError(t, err, strings.ReplaceAll("no guard can be kept: "+reason+"; should this program be killed, "+
					"what its processes have started may live on; see that SHELL works", "SHELL", shell))
			case <-time.After(bound):
				require.FailNow(t, "nothing was said")
			}
			require.NoError(t, p.SignalGroup(syscall.SIGTERM))
			require.Equal(t, syscall.SIGTERM, p.Reap().Signal)
			s.Close()
			_, open := <-s.Unguarded()
			require.False(t, open, "it is said once")
		})
	}
}
