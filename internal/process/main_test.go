package process_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ixtrun/ixt/internal/process"
)

// roleVariable makes the test binary play a child instead of running tests; the role's arguments are the command line.
const roleVariable = "IXT_TEST_ROLE"

var roles = map[string]func(args []string) error{
	"burn":    burn,
	"dial":    dial,
	"exhaust": exhaust,
	"find":    find,
	"guarded": guarded,
	"leave":   leave,
	"lock":    lock,
	"spawn":   spawn,
}

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv(roleVariable)]; ok {
		if err := role(os.Args[1:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// ready tells the test to go on, and waits to be killed.
func ready(word any) error {
	fmt.Println(word)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	<-terminated
	return nil
}

// burn uses up memory and processor time: BYTES DURATION.
func burn(args []string) error {
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	memory := make([]byte, size)
	for until := time.Now().Add(d); time.Now().Before(until); {
		for i := 0; i < len(memory); i += 512 {
			memory[i]++
		}
	}
	return nil
}

// dial connects to the socket and stays until the other end closes.
func dial(args []string) error {
	conn, err := net.Dial("unix", args[0])
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

// exhaust starts a program with no file descriptor to spare.
func exhaust([]string) error {
	s := process.NewSpawner()
	defer s.Close()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: 3}); err != nil {
		return err
	}
	_, err := s.Start(process.Spec{Path: "/bin/sh"})
	return err
}

// find counts the strays that carry an entry of the environment, as the finder itself does.
func find(args []string) error {
	_, err := fmt.Println(len(process.WithEnv(args[0])), "found")
	return err
}

// leave moves from its own process group to its parent's.
func leave([]string) error {
	group, err := syscall.Getpgid(os.Getppid())
	if err != nil {
		return err
	}
	if err := syscall.Setpgid(0, group); err != nil {
		return err
	}
	return ready("left")
}

// lock holds the lock file.
func lock(args []string) error {
	if _, err := process.LockFile(args[0]); err != nil {
		return err
	}
	return ready("locked")
}

// spawn starts a child that shares its output, and names it.
func spawn([]string) error {
	p, err := process.NewSpawner().Start(process.Spec{Path: "/bin/sleep", Args: []string{"1000"}, Stdout: os.Stdout})
	if err != nil {
		return err
	}
	return ready(p.PID())
}

func newSpawner(t *testing.T) *process.Spawner { return newSpawnerWith(t, "/bin/sh") }

func newSpawnerWith(t *testing.T, shell string) *process.Spawner {
	t.Helper()
	s := process.NewSpawnerWith(shell)
	t.Cleanup(s.Close)
	return s
}

// start starts a process that is killed and reaped when the test ends.
func start(t *testing.T, s *process.Spawner, spec process.Spec) *process.Process {
	t.Helper()
	p, err := s.Start(spec)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = p.SignalGroup(syscall.SIGKILL)
		p.Reap()
	})
	return p
}

// An output is what a process and those that inherited its standard output wrote. Its end proves that all of them are dead.
type output struct {
	t *testing.T
	*bufio.Reader
}

// startPiped starts a process whose output the test reads. No read takes longer than the test may.
func startPiped(t *testing.T, s *process.Spawner, spec process.Spec) (*process.Process, output) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.SetReadDeadline(time.Now().Add(bound)))
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	spec.Stdout = w
	p := start(t, s, spec)
	require.NoError(t, w.Close())
	return p, newOutput(t, r)
}

func newOutput(t *testing.T, r io.Reader) output { return output{t, bufio.NewReader(r)} }

func (o output) line() string {
	o.t.Helper()
	line, err := o.ReadString('\n')
	require.NoError(o.t, err)
	return line[:len(line)-1]
}

func (o output) rest() string {
	o.t.Helper()
	text, err := io.ReadAll(o)
	require.NoError(o.t, err)
	return string(text)
}

func shell(script string, args ...string) process.Spec {
	return process.Spec{Path: "/bin/sh", Args: append([]string{"-c", script}, args...), Env: os.Environ()}
}

func role(t *testing.T, name string, args ...string) process.Spec {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return process.Spec{Path: path, Args: args, Env: append(os.Environ(), roleVariable+"="+name)}
}

// bound is longer than anything here takes.
const bound = 30 * time.Second

// awaitExit returns when the process has died; it is not reaped.
func awaitExit(t *testing.T, p *process.Process) {
	t.Helper()
	select {
	case <-p.Exited():
	case <-time.After(bound):
		require.FailNow(t, "the process lives on")
	}
}

// shortDir is a directory whose sockets' paths are short enough for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ixt")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}
