package statedir_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ixtrun/ixt/internal/statedir"
)

// asSupervisor makes this test binary a program that opens what its value says, prints "open PATH" or "error TEXT", and holds it
// until its stdin ends.
const asSupervisor = "STATEDIR_TEST_OPEN"

func TestMain(m *testing.M) {
	if what := os.Getenv(asSupervisor); what != "" {
		path, closer, err := openAs(what)
		if err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println("open", path)
		_, _ = io.Copy(io.Discard, os.Stdin)
		if err := closer.Close(); err != nil {
			fmt.Println("error", err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// openAs opens a run directory ("run"), a temporary state directory ("temporary") or the state directory of that path.
func openAs(what string) (string, io.Closer, error) {
	if what == "run" {
		r, err := statedir.OpenRun()
		if err != nil {
			return "", nil, err
		}
		return r.Path(), r, os.WriteFile(r.Socket("press-001"), nil, 0o600)
	}
	open := statedir.Temporary
	if what != "temporary" {
		open = func() (*statedir.Dir, error) { return statedir.Open(what) }
	}
	d, err := open()
	if err != nil {
		return "", nil, err
	}
	return d.Path(), d, nil
}

// supervisor is another process that holds a directory.
type supervisor struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
}

// start begins to open what; the environment is this process's.
func start(t *testing.T, what string) *supervisor {
	t.Helper()
	s := &supervisor{command: exec.Command(os.Args[0])}
	s.command.Env = append(os.Environ(), asSupervisor+"="+what, "GORACE=atexit_sleep_ms=0") // else a second per process
	s.command.Stderr = os.Stderr
	var err error
	s.stdin, err = s.command.StdinPipe()
	require.NoError(t, err)
	stdout, err := s.command.StdoutPipe()
	require.NoError(t, err)
	s.stdout = bufio.NewReader(stdout)
	require.NoError(t, s.command.Start())
	t.Cleanup(func() {
		_ = s.command.Process.Kill()
		_ = s.command.Wait()
	})
	return s
}

// result waits until the process has opened its directory, or has not.
func (s *supervisor) result(t *testing.T) (path, failure string) {
	t.Helper()
	line, err := s.stdout.ReadString('\n')
	require.NoError(t, err)
	outcome, text, _ := strings.Cut(strings.TrimSpace(line), " ")
	if outcome == "error" {
		return "", text
	}
	require.Equal(t, "open", outcome)
	return text, ""
}

func (s *supervisor) path(t *testing.T) string {
	t.Helper()
	path, failure := s.result(t)
	require.Empty(t, failure)
	return path
}

// stop lets the process close its directory and end.
func (s *supervisor) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, s.stdin.Close())
	rest, err := io.ReadAll(s.stdout)
	require.NoError(t, err)
	require.Empty(t, string(rest))
	require.NoError(t, s.command.Wait())
}

// kill ends the process as kill -9 does.
func (s *supervisor) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, s.command.Process.Kill())
	require.Error(t, s.command.Wait())
}

// shortDir is a directory whose path leaves room for sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sd")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}
