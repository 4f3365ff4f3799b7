package tests

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/supervisor"
)

// binaryDir is where ixtBinary builds; TestMain makes and removes it.
var binaryDir string

// ixtBinary builds the command that is tested, once and as people get it: without the race detector.
var ixtBinary = sync.OnceValues(func() (path string, err error) {
	if err := os.Chmod(binaryDir, 0o755); err != nil { // other users run it too
		return "", err
	}
	path = filepath.Join(binaryDir, "ixt")
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/ixt").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ../cmd/ixt: %w\n%s", err, out)
	}
	return path, nil
})

// shell is a terminal of a user with a home, a session and a machine of its own: nothing outside of dir is used.
type shell struct {
	t       *testing.T
	dir     string // short; modules, run, state, home and tmp are in it
	modules *fleet // writes manifests into the first of these
	binary  string
	env     []string
	as      *syscall.Credential // nil: the user who runs the tests
	ctx     context.Context     // bounds every command
}

func newShell(t *testing.T) *shell {
	binary, err := ixtBinary()
	require.NoError(t, err)
	s := &shell{t: t, dir: shortDir(t), modules: newFleet(t), binary: binary}
	s.ctx, s.modules.dir = s.modules.ctx, s.path("modules")
	require.NoError(t, os.Chmod(s.dir, 0o755))
	for _, sub := range []string{"modules", "run", "state", "home", "tmp"} {
		require.NoError(t, os.Mkdir(s.path(sub), 0o755))
	}
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.path("home"), "TMPDIR=" + s.path("tmp"),
		"XDG_RUNTIME_DIR=" + s.path("run"), "XDG_STATE_HOME=" + s.path("state"),
	}
	return s
}

func (s *shell) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// addEcho adds a module that says what it is told.
func (s *shell) addEcho() { s.modules.add("echo", "polite", []string{"echo.say"}, "") }

// script writes a module that is a shell script and no more.
func (s *shell) script(name, script, more string) {
	s.program(name, "interpreter = \"sh\"\nentry = \"run.sh\"\n"+more)
	writeFile(s.t, s.path("modules", name, "run.sh"), script)
}

// program writes a manifest that goes on in [artifacts.process].
func (s *shell) program(name, rest string) {
	s.modules.write(name, fmt.Sprintf("schema_version = \"3.0\"\n[module]\nname = %q\nversion = \"1.0.0\"\n[artifacts.process]\n%s", name, rest))
}

func (s *shell) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.ctx, s.binary, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	cmd.WaitDelay = patience // for a descendant that keeps the output open
	return cmd
}

// result is how a command ended and what it wrote.
type result struct {
	code           int
	stdout, stderr string
}

// ixt runs a command to its end.
func (s *shell) ixt(args ...string) result { return s.ixtReading("", args...) }

// ixtReading is ixt with something on stdin.
func (s *shell) ixtReading(stdin string, args ...string) result {
	s.t.Helper()
	cmd := s.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	require.NoError(s.t, s.ctx.Err(), "ixt %s took too long; stderr:\n%s", strings.Join(args, " "), &stderr)
	return result{exitCode(s.t, err), stdout.String(), stderr.String()}
}

// exitCode makes a number of what Wait returns; a signal is none.
func exitCode(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	require.True(t, errors.As(err, &exit), "%v", err)
	require.True(t, exit.Exited(), "%v", err)
	return exit.ExitCode()
}

// ps is what the running supervisor says of its modules.
func (s *shell) ps() (modules []supervisor.ModuleStatus) {
	s.t.Helper()
	got := s.ixt("ps", "--json")
	require.Zero(s.t, got.code, got.stderr)
	require.NoError(s.t, json.Unmarshal([]byte(got.stdout), &modules))
	return modules
}

// pids are the processes of the running supervisor.
func (s *shell) pids() (pids []int) {
	s.t.Helper()
	for _, m := range s.ps() {
		for _, in := range m.Instances {
			if in.PID != 0 {
				pids = append(pids, in.PID)
			}
		}
	}
	return pids
}

// requireNothingLeft checks that the processes are gone, and all sockets, locks and temporary directories.
func (s *shell) requireNothingLeft(pids ...int) {
	s.t.Helper()
	for _, pid := range pids {
		require.False(s.t, alive(pid), "process %d is left", pid)
	}
	for _, dir := range []string{"run", "tmp"} {
		left := glob(s.t, s.path(dir, "*", "*"))
		left = slices.DeleteFunc(left, func(path string) bool { return filepath.Base(path) == "lock" }) // all supervisors of a user share that
		require.Empty(s.t, left)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	require.NoError(t, err)
	return found
}

// alive reports whether a process runs. Who is dead and waits for a parent to notice does not.
func alive(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // Linux alone has it
	return syscall.Kill(pid, 0) == nil && !strings.Contains(string(stat), ") Z ")
}

// running is a command that goes on until it is told to end.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  *bufio.Scanner // of its stdout
	pipe   io.Closer
	stdout bytes.Buffer // what has been read of it
	stderr bytes.Buffer // to be read when it has ended
	wait   func() error
}

// begin starts a command; the test's end kills it if nothing has ended it before.
func (s *shell) begin(args ...string) *running {
	s.t.Helper()
	return s.beginCommand(s.command(args...))
}

func (s *shell) beginCommand(cmd *exec.Cmd) *running {
	s.t.Helper()
	r := &running{t: s.t, cmd: cmd}
	pipe, err := r.cmd.StdoutPipe()
	require.NoError(s.t, err)
	r.lines, r.pipe = bufio.NewScanner(pipe), pipe
	r.cmd.Stderr = &r.stderr
	require.NoError(s.t, r.cmd.Start())
	r.wait = sync.OnceValue(r.cmd.Wait)
	s.t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		_ = r.wait()
	})
	return r
}

// run begins `ixt run` of all modules, and waits until the named ones are ready.
func (s *shell) run(ready ...string) *running {
	s.t.Helper()
	r := s.begin("run", "modules")
	r.await("admin socket ")
	for _, name := range ready {
		s.awaitReady(name)
	}
	return r
}

// awaitReady waits until the running supervisor's journal says that the module's first instance is ready.
func (s *shell) awaitReady(name string) {
	s.t.Helper()
	journal := s.begin("journal", "-f")
	journal.await(name + "/001 ready")
	journal.kill()
}

// await reads lines of stdout until one contains text, and returns that.
func (r *running) await(text string) string {
	r.t.Helper()
	for r.lines.Scan() {
		line := r.lines.Text()
		r.stdout.WriteString(line + "\n")
		if strings.Contains(line, text) {
			return line
		}
	}
	_ = r.wait() // only now is all of stderr there
	require.Fail(r.t, "waited in vain for "+text, "%s\n%s%s", strings.Join(r.cmd.Args, " "), &r.stdout, &r.stderr)
	return ""
}

func (r *running) signal(sig os.Signal) {
	r.t.Helper()
	require.NoError(r.t, r.cmd.Process.Signal(sig))
}

// end reads what comes and returns the exit code.
func (r *running) end() int {
	r.t.Helper()
	for r.lines.Scan() {
		r.stdout.WriteString(r.lines.Text() + "\n")
	}
	return exitCode(r.t, r.wait())
}

// interrupt is Ctrl-C, which must be an orderly end without a word on stderr.
func (r *running) interrupt() {
	r.t.Helper()
	r.signal(os.Interrupt)
	require.Zero(r.t, r.end(), "%s%s", &r.stdout, &r.stderr)
	require.Empty(r.t, r.stderr.String())
}

// kill is kill -9; it returns when the process is gone.
func (r *running) kill() {
	r.t.Helper()
	require.NoError(r.t, r.cmd.Process.Kill())
	require.Error(r.t, r.wait())
}
