package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/cmd/ixt/internal/cli"
	"github.com/ixtrun/ixt/supervisor"
)

// running is `ixt run` with the parrot.
type running struct {
	t      *testing.T
	socket string
	state  string
	lines  *bufio.Scanner // of its stdout
	cancel context.CancelFunc
	code   chan int
	stdout *io.PipeReader
	stderr bytes.Buffer
}

func runParrot(t *testing.T, args ...string) *running {
	r := &running{t: t, socket: filepath.Join(shortDir(t), "admin.sock"), state: shortDir(t), code: make(chan int, 1)}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(t.Context())
	t.Cleanup(r.cancel)
	in, out := io.Pipe()
	r.stdout, r.lines = in, bufio.NewScanner(in)
	args = append([]string{"run", parrotDir(t), "--state", r.state, "--socket", r.socket}, args...)
	go func() {
		r.code <- cli.Run(ctx, args, strings.NewReader(""), out, &r.stderr)
		_ = out.Close()
	}()
	return r
}

// await reads lines until each of texts was in one, in whatever order: what the supervisor says of itself, its journal and its
// modules' logs are three streams.
func (r *running) await(texts ...string) {
	defer time.AfterFunc(time.Minute, func() { _ = r.stdout.Close() }).Stop()
	for len(texts) > 0 && r.lines.Scan() {
		texts = slices.DeleteFunc(texts, func(text string) bool { return strings.Contains(r.lines.Text(), text) })
	}
	require.Empty(r.t, texts, "it ended, or a minute passed, without saying so")
}

// drain goes on reading what nobody looks at.
func (r *running) drain() { go func() { _, _ = io.Copy(io.Discard, r.stdout) }() }

func (r *running) ixt(args ...string) result {
	return ixt(r.t, slices.Insert(args, 1, "--socket", r.socket)...)
}

func TestRun(t *testing.T) {
	r := runParrot(t)
	require.True(t, r.lines.Scan())
	require.Equal(t, "admin socket "+r.socket+", state in "+r.state, r.lines.Text())
	r.await("INF started with ")
	r.await("INF parrot/001 ready")
	r.drain()

	require.Equal(t, result{0, "hello\n", ""}, r.ixt("call", "parrot.say", "hello"))
	got := r.ixt("call", "parrot.refuse")
	require.Equal(t, result{1, "", "TOO_EARLY: it is night\norigin: parrot:1.2.3/instance-001, outcome: done\n"}, got)

	got = r.ixt("ps") // where a call that has just been answered may be in flight still
	require.Regexp(t, `^MODULE +VERSION +INST +STATE +PID +UP +RESTARTS +IN FLIGHT +WHY\nparrot +1\.2\.3 +001 +ready +\d+ +\d\S*s +0 +[01]\n$`, got.stdout)
	var modules []supervisor.ModuleStatus
	require.NoError(t, json.Unmarshal([]byte(r.ixt("ps", "--json").stdout), &modules))
	require.Equal(t, "parrot", modules[0].Name)

	require.Regexp(t, `(?m)^parrot\.say +1 +[01] +0 +1 +0 +0 +0 +0 +0 +parrot$`, r.ixt("topics").stdout)
	require.Regexp(t, `(?m)^config\.limit +5\.0 +manifest\.toml:12$`, r.ixt("config", "parrot").stdout)

	got = r.ixt("describe", "parrot")
	for _, text := range []string{"parrot 1.2.3: says what it is told\n", "instance 001: ready for ", "  next       it takes calls\n",
		"\nlast log lines\n", "| squawk\n", "\nlast journal entries\n", "INF parrot/001 ready\n"} {
		require.Contains(t, got.stdout, text)
	}
	require.Equal(t, result{3, "", "there is no module parort; did you mean parrot? `ixt ps` lists them\n"}, r.ixt("describe", "parort"))

	require.Contains(t, r.ixt("logs", "parrot").stdout, "INF parrot/001 | squawk\n")
	require.Contains(t, r.ixt("logs", "--json").stdout, `"message":"squawk"`)
	require.Equal(t, 1, strings.Count(r.ixt("journal", "-n", "1").stdout, "\n"))
	require.Contains(t, r.ixt("journal", "--json").stdout, `"state":"ready"`)

	require.Equal(t, "parrot/001 ready\n", r.ixt("restart", "parrot").stdout)
	require.Equal(t, "parrot/001 stopped\n", r.ixt("stop", "parrot").stdout)
	got = r.ixt("call", "parrot.say", "hello")
	require.Equal(t, result{3, "", "UNAVAILABLE: parrot is stopped; `ixt start parrot` starts it\norigin: supervisor, outcome: not_delivered\n"}, got)
	require.Regexp(t, `^parrot/001 (starting|ready)\n$`, r.ixt("start", "parrot").stdout)

	require.Equal(t, "parrot\tsays what it is told\n:4\n", r.ixt("__complete", "describe", "").stdout)
	require.Contains(t, r.ixt("__complete", "call", "").stdout, "parrot.say\n")

	second := ixt(t, "run", parrotDir(t), "--state", shortDir(t), "--socket", r.socket)
	require.Equal(t, result{1, "", "a supervisor already answers at " + r.socket + "; stop it, or give this one another socket with --socket\n"}, second)

	r.cancel()
	require.Zero(t, <-r.code)
	require.Empty(t, r.stderr.String())

	kept := r.ixt("logs", "--state", r.state)
	require.Contains(t, kept.stdout, "INF parrot/001 | squawk\n")
	require.Equal(t, "no supervisor is running; this is what the last one left in "+r.state+"\n", kept.stderr)
	require.Contains(t, r.ixt("journal", "-n", "1", "--state", r.state).stdout, "INF stopped\n")
	require.Contains(t, r.ixt("logs", "nobody", "--state", r.state).stderr, "left nothing of it in "+r.state)
}

func TestRunSaysHowItStops(t *testing.T) {
	r := runParrot(t)
	r.await("INF parrot/001 ready")
	r.cancel()
	r.await("stopping in order; Ctrl-C stops at once", "INF stopped")
	r.drain()
	require.Zero(t, <-r.code)
}

func TestRunForALogCollector(t *testing.T) {
	r := runParrot(t, "--log-format", "json")
	for r.lines.Scan() {
		require.NotContains(t, r.lines.Text(), "null")
		var line struct {
			Level, Time, Message, Module, State string
		}
		require.NoError(t, json.Unmarshal(r.lines.Bytes(), &line))
		require.NotEmpty(t, line.Level)
		require.NotEmpty(t, line.Time)
		require.NotEmpty(t, line.Message)
		if line.State == "ready" {
			require.Equal(t, "parrot", line.Module)
			break
		}
	}
	r.drain()
	r.cancel()
	require.Zero(t, <-r.code)
}

func TestDescribeNamesTheReportAboutTheLastExit(t *testing.T) {
	r := runParrot(t, "--set", "parrot:restart.first=1h")
	r.await("INF parrot/001 ready")
	require.Equal(t, 4, r.ixt("call", "parrot.crash").code)
	r.await("crash report 0001-parrot")
	r.drain()
	require.Contains(t, r.ixt("describe", "parrot").stdout, "\n  last exit  exit 3: squawk; `ixt crash 0001-parrot` tells more\n")
	require.Zero(t, r.ixt("restart", "parrot").code) // starts it
	require.Zero(t, r.ixt("restart", "parrot").code) // ends it in order first
	require.Contains(t, r.ixt("describe", "parrot").stdout, "\n  last exit  exit 0\n")
	r.cancel()
	require.Zero(t, <-r.code)
}

// TestRunEndsWhenNobodyReads is `ixt run | head -1`.
func TestRunEndsWhenNobodyReads(t *testing.T) {
	r := runParrot(t)
	r.await("admin socket")
	require.NoError(t, r.stdout.Close())
	require.Zero(t, <-r.code)
	require.Empty(t, r.stderr.String())
}

func TestFollowingEndsWithTheSupervisor(t *testing.T) {
	r := runParrot(t)
	r.await("INF parrot/001 ready")
	in, out := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(t.Context(), []string{"journal", "-f", "--socket", r.socket}, nil, out, io.Discard)
		_ = out.Close()
	}()
	r.drain()
	lines := bufio.NewScanner(in)
	var last string
	for lines.Scan() {
		last = lines.Text()
		if strings.HasSuffix(last, "parrot/001 ready") {
			r.cancel()
		}
	}
	require.True(t, strings.HasSuffix(last, "INF stopped"), last)
	require.Zero(t, <-code)
	require.Zero(t, <-r.code)
}
