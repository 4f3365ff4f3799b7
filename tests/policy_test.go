package tests

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/crash"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

func TestCauseDecidesWhatFollows(t *testing.T) {
	tests := map[string]struct {
		on    string
		sig   syscall.Signal // 0: the module exits with code 7
		state supervisor.State
		why   string
	}{
		"an exit code":        {`"exit 7" = "stop"`, 0, supervisor.Stopped, "exit 7; restart.on says stop"},
		"any exit code":       {`exit = "fail"`, 0, supervisor.Failed, "exit 7; restart.on says fail"},
		"a signal":            {`SIGKILL = "fail"`, syscall.SIGKILL, supervisor.Failed, "signal: killed; restart.on says fail"},
		"another than it was": {`SIGSEGV = "fail", "exit 1" = "stop"`, syscall.SIGKILL, supervisor.Backoff, "signal: killed: 1st failure; gives up after 5 in 5m"},
		"the closest":         {`signal = "restart", SIGKILL = "stop"`, syscall.SIGKILL, supervisor.Stopped, "signal: killed; restart.on says stop"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			f.add("work", "polite", []string{"work.crash", "work.say"}, fmt.Sprintf("[restart]\nfirst = \"1h\"\non = { %s }\n", tt.on))
			f.start()
			f.awaitState("work", supervisor.Ready)
			if tt.sig != 0 {
				require.NoError(t, syscall.Kill(f.pids()[0], tt.sig))
			} else {
				_, err := f.say("work.crash", "")
				requireCode(t, err, ipc.CodeModuleGone, ipc.Unknown)
			}
			e := f.awaitState("work", tt.state)
			require.Equal(t, tt.why, e.Text)
			require.NoError(t, f.Start("work"))
			f.awaitStateAfter(e.Seq, "work", supervisor.Ready)
			got, err := f.say("work.say", "again")
			require.NoError(t, err)
			require.Equal(t, "again", got)
		})
	}
}

func TestReadyModuleIsRestartedAtOnce(t *testing.T) {
	f := newFleet(t)
	f.add("work", "polite", []string{"work.pid"}, "[restart]\ninitial = \"1h\"\nmax = \"1h\"\n")
	f.start()
	first, err := f.say("work.pid", "")
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(f.pids()[0], syscall.SIGKILL))
	e := f.awaitState("work", supervisor.Backoff)
	require.Zero(t, e.DelayMS)
	f.awaitStateAfter(e.Seq, "work", supervisor.Ready)
	second, err := f.say("work.pid", "")
	require.NoError(t, err)
	require.NotEqual(t, first, second)
}

func TestGroupRestartsTogether(t *testing.T) {
	f := newFleet(t)
	for _, name := range []string{"a", "b", "c"} {
		f.add(name, "polite", []string{name + ".pid", name + ".crash"}, "[restart]\ngroup = \"line\"\n")
	}
	f.add("other", "polite", []string{"other.pid"}, "")
	f.start()
	before := map[string]string{}
	for _, name := range []string{"a", "b", "c", "other"} {
		f.awaitState(name, supervisor.Ready)
		before[name], _ = f.say(name+".pid", "")
	}
	seq := f.Journal().Seq()
	_, err := f.say("b.crash", "")
	requireCode(t, err, ipc.CodeModuleGone, ipc.Unknown)
	for _, name := range []string{"a", "b", "c"} {
		f.awaitStateAfter(seq, name, supervisor.Ready)
		pid, err := f.say(name+".pid", "")
		require.NoError(t, err)
		require.NotEqual(t, before[name], pid)
	}
	pid, err := f.say("other.pid", "")
	require.NoError(t, err)
	require.Equal(t, before["other"], pid)
	e := f.awaitStateAfter(seq, "a", supervisor.Draining)
	require.Equal(t, "restarts with b (group line)", e.Text)
	for _, m := range f.Modules() { // and nobody sets off another round
		require.LessOrEqual(t, m.Instances[0].Restarts, 1, m.Name)
	}
}

func TestCrashReportTellsWhy(t *testing.T) {
	f := newFleet(t)
	f.add("work", "polite", []string{"work.gate", "work.say"}, "")
	f.start()
	g := newGate(t)
	call := f.later("work.gate", g.path)
	a := g.arrival()
	pid := f.pids()[0]
	require.NoError(t, syscall.Kill(pid, syscall.SIGSEGV))
	a.gone()
	requireCode(t, <-call, ipc.CodeModuleGone, ipc.Unknown)
	report := f.crash("work")
	require.Equal(t, pid, report.PID)
	require.Contains(t, report.Panic, "SIGSEGV") // Go's runtime turns the signal into words and exit 2
	require.Equal(t, crash.KindExit, report.Cause.Kind)
	require.Equal(t, 2, report.Cause.Code)
	require.Len(t, report.Calls, 1)
	require.Equal(t, "work.gate", report.Calls[0].Topic)
	require.Equal(t, 1, report.Calls[0].Attempt)
	require.Positive(t, report.MaxRSSBytes)
	require.NotEmpty(t, report.Lines)
	require.False(t, report.NextAttempt.IsZero())
	require.Contains(t, report.Decision, "1st failure; gives up after 5 in 5m")
}

func TestProtocolErrorIsReportedWithItsFrame(t *testing.T) {
	f := newFleet(t)
	f.add("bad", "garbage", []string{"bad.say"}, "")
	f.start()
	_, err := f.say("bad.say", "")
	require.Error(t, err)
	report := f.crash("bad")
	require.Equal(t, crash.KindProtocol, report.Cause.Kind, report.Why)
	require.NotEmpty(t, report.Cause.FrameHead)
}
