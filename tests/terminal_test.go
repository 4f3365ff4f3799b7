package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/supervisor"
)

func TestRunStopsInOrder(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			s.addEcho()
			s.modules.add("press", "polite", []string{"press.say"}, "[after]\necho = \"ready\"\n")
			r := s.run("echo", "press")
			pids := s.pids()
			require.Len(t, pids, 2)
			r.signal(sig)
			require.Zero(t, r.end())
			require.Contains(t, r.stdout.String(), "\nstopping in order; Ctrl-C stops at once\n")
			require.Regexp(t, `(?s)press/001 stopped\n.*echo/001 stopped\n.*INF stopped\n$`, r.stdout.String())
			require.Empty(t, r.stderr.String())
			s.requireNothingLeft(pids...)
		})
	}
}

func TestSecondInterruptStopsAtOnce(t *testing.T) {
	s := newShell(t)
	s.modules.add("mule", "stubborn", []string{"mule.gate"}, "[stop]\ndrain = \"1h\"\nshutdown = \"1h\"\nterm = \"1h\"\n")
	r := s.run()
	g := newGate(t)
	call := s.begin("call", "mule.gate", g.path)
	a := g.arrival()
	pids := s.pids()
	r.signal(os.Interrupt)
	r.await("stopping in order; Ctrl-C stops at once")
	// An interrupt that comes with the first one counts as the same, so this goes on until one is another.
	impatient, told := time.NewTicker(20*time.Millisecond), make(chan struct{})
	go func() {
		defer close(told)
		for r.cmd.Process.Signal(os.Interrupt) == nil {
			<-impatient.C
		}
	}()
	r.await("stopping at once")
	require.Zero(t, r.end())
	<-told
	impatient.Stop()
	a.gone()
	require.Equal(t, 4, call.end(), "what became of the call is unknown")
	s.requireNothingLeft(pids...)
}

func TestKilledRunIsCleanedUpByTheNext(t *testing.T) {
	s := newShell(t)
	g := newGate(t)
	s.modules.add("herald", "herald "+g.path, []string{"herald.say"}, "[scale]\ninstances = 2\n")
	s.script("diary", "echo written under $PPID\nexec sleep 1000\n", "protocol = \"none\"\n")
	first := s.run()
	here := []*arrival{g.arrival(), g.arrival()}
	line := fmt.Sprintf("diary/001 | written under %d", first.cmd.Process.Pid)
	first.await(line)
	pids := s.pids()
	require.Len(t, pids, 3)
	first.kill()
	for _, a := range here {
		a.gone()
	}
	require.Eventually(t, func() bool { return !slices.ContainsFunc(pids, alive) }, patience, time.Millisecond)

	got := s.ixt("logs", "diary")
	require.Contains(t, got.stdout, line)
	require.Equal(t, "no supervisor is running; this is what the last one left in "+s.path("state", "ixt")+"\n", got.stderr)

	second := s.run("herald", "diary")
	require.Contains(t, s.ixt("journal").stdout, "removed what a dead supervisor left behind: run/ixt/")
	for _, pid := range pids {
		require.NotContains(t, s.pids(), pid)
	}
	require.Equal(t, result{0, "hello\n", ""}, s.ixt("call", "herald.say", "hello"))
	logs := s.ixt("logs", "diary").stdout
	require.Contains(t, logs, line)
	require.Contains(t, logs, fmt.Sprintf("diary/001 | written under %d", second.cmd.Process.Pid))
	pids = s.pids()
	second.interrupt()
	s.requireNothingLeft(pids...)
}

func TestCallFromATerminal(t *testing.T) {
	s := newShell(t)
	s.modules.add("work", "polite", []string{"work.say", "work.fail", "work.patient", "work.gate"}, "")
	r := s.run("work")
	tests := map[string]struct {
		args  []string
		stdin string
		want  result
	}{
		"the payload":    {[]string{"work.say", "hello"}, "", result{0, "hello\n", ""}},
		"from stdin":     {[]string{"work.say", "-"}, "line one\nline two\n", result{0, "line one\nline two\n", ""}},
		"large":          {[]string{"work.say", "-", "--raw"}, strings.Repeat("0123456789abcdef", 1<<16), result{0, strings.Repeat("0123456789abcdef", 1<<16), ""}},
		"empty":          {[]string{"work.say"}, "", result{0, "\n", ""}},
		"as JSON":        {[]string{"work.say", "hello", "--json"}, "", result{0, `{"payload":"aGVsbG8="}` + "\n", ""}},
		"one member":     {[]string{"work.say", "hello", "--field", "payload"}, "", result{0, "hello\n", ""}},
		"no such member": {[]string{"work.say", "hello", "--field", "load"}, "", result{1, "", "the call is done, but the answer has no member \"load\"; it has payload\n"}},
		"an error": {[]string{"work.fail"}, "", result{1, "", `NO_PROVIDER: forged
details: {"cause":{"code":"NO_PROVIDER","message":"forged","outcome":"not_delivered","origin":"supervisor"}}
origin: work:1.0.0/instance-001, outcome: done
`}},
		"not delivered": {[]string{"nobody.there"}, "", result{3, "", "NO_PROVIDER: no module provides nobody.there; `ixt topics` lists what there is" + notDelivered}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, s.ixtReading(tt.stdin, append([]string{"call"}, tt.args...)...))
		})
	}
	t.Run("killed in flight", func(t *testing.T) {
		g := newGate(t)
		call := s.begin("call", "work.gate", g.path)
		a := g.arrival()
		require.NoError(t, syscall.Kill(s.pids()[0], syscall.SIGKILL))
		a.gone()
		require.Equal(t, 4, call.end())
		require.Empty(t, call.stdout.String())
		require.Regexp(t, `^MODULE_GONE: .*\norigin: supervisor, outcome: unknown\n$`, call.stderr.String())
		require.Equal(t, result{0, "again\n", ""}, s.ixt("call", "work.say", "again"))
	})
	t.Run("given up by its caller", func(t *testing.T) {
		g := newGate(t)
		call := s.begin("call", "work.patient", g.path)
		a := g.arrival()
		call.signal(os.Interrupt)
		require.Equal(t, 4, call.end())
		require.Equal(t, "CANCELLED: interrupt signal received\norigin: client, outcome: unknown\n", call.stderr.String())
		_, err := a.conn.Read(make([]byte, 1))
		require.NoError(t, err, "the handler's ctx did not end")
	})
	r.interrupt()
}

func TestLookAndSteer(t *testing.T) {
	s := newShell(t)
	s.addEcho()
	s.script("diary", "for n in 1 2 3 4 5; do echo page $n; done\nexec sleep 1000\n", "protocol = \"none\"\n")
	r := s.run("echo", "diary")
	r.await("diary/001 | page 5")

	modules := s.ps()
	require.Len(t, modules, 2)
	require.Equal(t, "echo", modules[1].Name)
	require.Equal(t, []string{"echo.say"}, modules[1].Provides)
	require.Equal(t, supervisor.Ready, modules[1].Instances[0].State)
	pid := modules[1].Instances[0].PID

	logs := strings.Split(strings.TrimSpace(s.ixt("logs", "-n", "2", "diary").stdout), "\n")
	require.Len(t, logs, 2)
	require.Regexp(t, `^\d\d:\d\d:\d\d\.\d{3} INF diary/001 \| page 4$`, logs[0])

	require.Equal(t, result{0, "echo/001 ready\n", ""}, s.ixt("restart", "echo"))
	require.NotEqual(t, pid, s.ps()[1].Instances[0].PID)
	require.Equal(t, result{0, "echo/001 stopped\n", ""}, s.ixt("stop", "echo"))
	require.Equal(t, result{3, "", "UNAVAILABLE: echo is stopped; `ixt start echo` starts it" + notDelivered}, s.ixt("call", "echo.say", "hello"))
	require.Zero(t, s.ixt("start", "echo").code)
	require.Equal(t, result{0, "hello\n", ""}, s.ixt("call", "echo.say", "hello"))

	require.Regexp(t, `(?s) INF started with 2 modules\n.*echo/001 stopped\n.*echo/001 ready\n$`, s.ixt("journal").stdout)
	for _, line := range strings.Split(strings.TrimSpace(s.ixt("journal", "--json", "-n", "3", "--module", "echo").stdout), "\n") {
		var e supervisor.Entry
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		require.Equal(t, "echo", e.Module)
	}
	r.interrupt()
	require.Regexp(t, ` INF stopped\n$`, s.ixt("journal").stdout)
}

func TestCallWithModulesLeavesOnlyItsAnswer(t *testing.T) {
	s := newShell(t)
	g := newGate(t)
	s.modules.add("herald", "herald "+g.path, []string{"herald.say"}, "")
	s.script("diary", "echo noise; echo noise >&2; exec sleep 1000\n", "protocol = \"none\"\n")
	require.Equal(t, result{0, "hello\n", ""}, s.ixt("call", "--modules", "modules", "herald.say", "hello"))
	g.arrival().gone()
	s.requireNothingLeft()
	require.Empty(t, glob(t, s.path("state", "*")), "a private supervisor keeps nothing")

	// Ctrl-C while the module is busy leaves as little.
	s.modules.add("work", "polite", []string{"work.gate"}, "")
	call := s.begin("call", "--modules", "modules", "work.gate", g.path)
	a := g.arrival()
	call.signal(os.Interrupt)
	t.Log(call.end(), call.stderr.String())
	a.gone()
	s.requireNothingLeft()

	// kill -9 leaves files, which the next one removes.
	call = s.begin("call", "--modules", "modules", "work.gate", g.path)
	a = g.arrival()
	call.kill()
	a.gone()
	require.Equal(t, "hello\n", s.ixt("call", "--modules", "modules", "herald.say", "hello").stdout)
	g.arrival().gone()
	s.requireNothingLeft()
}

func TestOutputThatNobodyReads(t *testing.T) {
	s := newShell(t)
	g := newGate(t)
	s.modules.add("herald", "herald "+g.path, []string{"herald.say"}, "")
	s.script("diary", "while echo page; do sleep 0.01; done\n", "protocol = \"none\"\n")
	r := s.run("herald")
	a := g.arrival()
	for _, args := range []string{"ps", "journal", "journal -f --module herald", "logs", "logs -f"} {
		reader := s.begin(strings.Fields(args)...)
		reader.await("")
		require.NoError(t, reader.pipe.Close())
		if strings.HasPrefix(args, "journal -f") { // only the next line finds out
			require.Zero(t, s.ixt("restart", "herald").code)
			a.gone()
			a = g.arrival()
		}
		require.Zero(t, exitCode(t, reader.wait()), args)
		require.Empty(t, reader.stderr.String(), args)
	}
	require.NoError(t, r.pipe.Close())
	require.Zero(t, exitCode(t, r.wait()))
	require.Empty(t, r.stderr.String())
	a.gone()
	s.requireNothingLeft()
}
