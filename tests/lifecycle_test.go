package tests

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

func TestStartFailuresSayWhy(t *testing.T) {
	tests := map[string]struct{ role, more, want string }{
		"it ended with an error": {"exit ModuleNotFoundError: No module named 'numpy'", "",
			"exit 1 before it connected: ModuleNotFoundError: No module named 'numpy': 1st failed start; gives up after 5 in 5m"},
		"it ended and was content": {"leave", "",
			`exit 0 before it connected (not an ixt module? set protocol = "none" under [artifacts.process]): 1st failed start; gives up after 5 in 5m`},
		"it never connected": {"mute", "[start]\ntimeout = \"300ms\"\n[stop]\nterm = \"2s\"\n",
			`ran for 300ms, but not until it connected: listening on port 80 (not an ixt module? set protocol = "none" under [artifacts.process]): 1st failed start; gives up after 5 in 5m`},
		"it never answered init": {"hang", "[start]\ntimeout = \"300ms\"\n[stop]\nterm = \"2s\"\n",
			"ran for 300ms, but not until it answered init: 1st failed start; gives up after 5 in 5m"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			f.add("bad", tt.role, []string{"bad.say"}, tt.more)
			f.start()
			e := f.awaitState("bad", supervisor.Backoff)
			require.Equal(t, tt.want, e.Text)
			require.Positive(t, e.DelayMS)
		})
	}
}

func TestRefusedConfigurationIsNotRetried(t *testing.T) {
	f := newFleet(t)
	f.add("picky", "refuse", []string{"picky.say"}, "")
	f.start()
	e := f.awaitState("picky", supervisor.Failed)
	require.Equal(t, "init failed: CONFIG_INVALID: config.limit: 7 is too much; write at most 5; not retried until the configuration changes", e.Text)
	_, err := f.say("picky.say", "")
	got := requireCode(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
	require.Contains(t, got.Message, "`ixt start picky` tries now")
}

func TestRestartAfterAFailedStart(t *testing.T) {
	f := newFleet(t)
	f.add("once", "once "+filepath.Join(f.dir, "been-here"), []string{"once.say"}, "[restart]\ninitial = \"1ms\"\n")
	f.start()
	got, err := f.say("once.say", "hello") // waits through the restart
	require.NoError(t, err)
	require.Equal(t, "hello", got)
	m, err := f.Module("once")
	require.NoError(t, err)
	require.Equal(t, 1, m.Instances[0].Restarts)
	require.Equal(t, "exit 3 before it connected: first start", m.Instances[0].LastExit)
}

func TestGivesUp(t *testing.T) {
	f := newFleet(t)
	f.add("bad", "exit broken", []string{"bad.say"}, "[restart]\ninitial = \"1ms\"\ngive_up = 3\n")
	f.start()
	e := f.awaitState("bad", supervisor.Failed)
	require.Regexp(t, `^gave up after 3rd failed start in .*: exit 1 before it connected: broken$`, e.Text)
	require.InDelta(t, time.Hour.Milliseconds(), e.DelayMS, 1000)

	require.NoError(t, f.Start("bad"))
	f.awaitStateAfter(e.Seq, "bad", supervisor.Starting)
}

func TestUnhealthyIsRestarted(t *testing.T) {
	f := newFleet(t)
	f.add("sick", "sick", []string{"sick.say", "sick.pid"}, "[health]\ninterval = \"10ms\"\nfailures = 3\n[restart]\ninitial = \"1ms\"\n")
	f.start()
	first, err := f.say("sick.pid", "")
	require.NoError(t, err)
	e := f.awaitState("sick", supervisor.Backoff)
	require.Contains(t, e.Text, "unhealthy: sick (3 of 3)")
	second, err := f.say("sick.pid", "")
	require.NoError(t, err)
	require.NotEqual(t, first, second)
}

func TestNotReadyIsUnroutedAndNotRestarted(t *testing.T) {
	f := newFleet(t)
	f.add("device", "offline", []string{"device.say"}, "[health]\ninterval = \"10ms\"\n")
	f.start()
	_, err := f.say("device.say", "first") // from here on it says that it is not ready
	require.NoError(t, err)
	e := f.awaitState("device", supervisor.Unready)
	require.Equal(t, "offline", e.Text)
	_, err = f.Call(f.ctx, supervisor.Message{Topic: "device.say", TTL: 50 * time.Millisecond})
	got := requireCode(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
	require.Contains(t, got.Message, "device is unready: offline")
	m, err := f.Module("device")
	require.NoError(t, err)
	require.Zero(t, m.Instances[0].Restarts)
}

func TestAfterOrdersStartAndStop(t *testing.T) {
	f := newFleet(t)
	f.add("plc", "polite", []string{"plc.say"}, "")
	f.addAfter("view", "polite", "plc")
	f.start()
	ready := f.awaitState("view", supervisor.Ready)
	require.Less(t, f.awaitState("plc", supervisor.Ready).Seq, ready.Seq)
	require.Equal(t, "for plc to be ready", f.awaitState("view", supervisor.Waiting).Text)
	f.halt()
	require.Less(t, f.awaitState("view", supervisor.Stopped).Seq, f.awaitState("plc", supervisor.Stopping).Seq)
}

// addAfter is add for a module that comes after another one.
func (f *fleet) addAfter(name, role, other string) {
	f.add(name, role, []string{name + ".say"}, "")
	path := filepath.Join(f.dir, name, "manifest.toml")
	text := readFile(f.t, path)
	f.write(name, strings.Replace(text, "[module]", fmt.Sprintf("after = { %s = { until = \"ready\", restart = true } }\n[module]", other), 1))
}

func TestCoupledModuleRestartsWithTheOther(t *testing.T) {
	f := newFleet(t)
	f.add("plc", "polite", []string{"plc.say"}, "")
	f.addAfter("view", "polite", "plc")
	f.start()
	ready := f.awaitState("view", supervisor.Ready)
	require.NoError(t, f.Restart(f.ctx, "plc"))
	again := f.awaitStateAfter(ready.Seq, "view", supervisor.Ready)
	require.Greater(t, again.Seq, f.awaitStateAfter(ready.Seq, "plc", supervisor.Ready).Seq)
}

func TestStopStartRestart(t *testing.T) {
	for _, mode := range []string{"stop-first", "start-first"} {
		t.Run(mode, func(t *testing.T) {
			f := newFleet(t)
			f.add("echo", "polite", []string{"echo.pid"}, fmt.Sprintf("[replace]\nmode = %q\n[scale]\ninstances = 2\n", mode))
			f.start()
			f.awaitInstances("echo", 2)
			first, err := f.say("echo.pid", "")
			require.NoError(t, err)
			before := f.pids()
			require.NoError(t, f.Restart(f.ctx, "echo"))
			second, err := f.say("echo.pid", "")
			require.NoError(t, err)
			require.NotEqual(t, first, second)
			for _, pid := range before {
				require.NotContains(t, f.pids(), pid)
			}
			require.Len(t, f.pids(), 2)

			require.NoError(t, f.Stop(f.ctx, "echo"))
			require.Empty(t, f.pids())
			_, err = f.say("echo.pid", "")
			e := requireCode(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
			require.Equal(t, "echo is stopped; `ixt start echo` starts it", e.Message)
			require.NoError(t, f.Start("echo"))
			_, err = f.say("echo.pid", "")
			require.NoError(t, err)
			_, err = f.Module("ecoh")
			require.ErrorContains(t, err, "did you mean echo?")
		})
	}
}

// awaitInstances waits until so many instances of a module have become ready.
func (f *fleet) awaitInstances(module string, n int) {
	f.awaitInstancesAfter(0, module, n, supervisor.Ready)
}

// awaitInstancesAfter waits until so many instances of a module have entered a state, after the entry numbered after.
func (f *fleet) awaitInstancesAfter(after uint64, module string, n int, state supervisor.State) {
	seen := map[int]bool{}
	f.awaitAfter(after, fmt.Sprintf("%d instances of %s to be %s", n, module, state), func(e supervisor.Entry) bool {
		if e.Module == module && e.State == state {
			seen[e.Instance] = true
		}
		return len(seen) == n
	})
}

func TestDrainLetsOpenCallsFinish(t *testing.T) {
	f := newFleet(t)
	f.add("work", "polite", []string{"work.gate"}, "")
	f.start()
	g := newGate(t)
	call := f.later("work.gate", g.path)
	a := g.arrival()
	stopped := make(chan error, 1)
	go func() { stopped <- f.Stop(f.ctx, "work") }()
	f.awaitState("work", supervisor.Draining)
	a.pass()
	require.NoError(t, <-call)
	require.NoError(t, <-stopped)
}

func TestStubbornProcessIsKilled(t *testing.T) {
	f := newFleet(t)
	f.add("mule", "stubborn", []string{"mule.pid"}, "[stop]\ndrain = \"50ms\"\nshutdown = \"50ms\"\nterm = \"50ms\"\n")
	f.start()
	_, err := f.say("mule.pid", "")
	require.NoError(t, err)
	f.halt()
	exit := f.await("the exit", func(e supervisor.Entry) bool { return e.Kind == supervisor.KindExit })
	require.Equal(t, "signal: killed", exit.Text)
}

func TestStopNowWaitsForNothing(t *testing.T) {
	f := newFleet(t)
	f.add("work", "polite", []string{"work.gate"}, "")
	f.start()
	g := newGate(t)
	call := f.later("work.gate", g.path)
	g.arrival()
	f.stop()
	f.StopNow()
	requireCode(t, <-call, ipc.CodeModuleGone, ipc.Unknown)
	f.halt()
}

func TestAnyProgramRunsWithProtocolNone(t *testing.T) {
	f := newFleet(t)
	f.write("sleeper", `schema_version = "3.0"
[module]
name = "sleeper"
version = "1.0.0"
[artifacts.process]
protocol = "none"
interpreter = "sh"
entry = "run.sh"
`)
	writeFile(t, filepath.Join(f.dir, "sleeper", "run.sh"), "echo up\nexec sleep 1000\n")
	f.start()
	f.awaitState("sleeper", supervisor.Ready)
	require.NoError(t, f.Restart(f.ctx, "sleeper"))
}

func TestOnDemandStartsOnlyWhatIsNeeded(t *testing.T) {
	f := newFleet(t)
	f.opts.OnDemand = true
	f.add("a", "polite", []string{"a.forward"}, "[requires]\nservices = [\"b.*\"]\n")
	f.add("b", "polite", []string{"b.say"}, "")
	f.add("c", "polite", []string{"c.say"}, "")
	f.start()
	got, err := f.say("a.forward", "b.say hello")
	require.NoError(t, err)
	require.Equal(t, "hello", got)
	for _, e := range f.Journal().Last(1000) {
		require.NotEqual(t, "c", e.Module)
	}
}

func TestManyInstancesLeaveNothing(t *testing.T) {
	f := newFleet(t)
	f.add("crowd", "polite", []string{"crowd.say"}, "[scale]\ninstances = 200\n")
	f.ctx, _ = patienceFor(t, 5*time.Minute)
	began := time.Now()
	f.start()
	f.awaitInstances("crowd", 200)
	up := time.Since(began)
	for range 400 {
		_, err := f.say("crowd.say", "x")
		require.NoError(t, err)
	}
	began = time.Now()
	f.halt()
	t.Logf("200 instances: ready after %s, stopped after %s", up.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}
