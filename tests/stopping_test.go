package tests

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// unhurried are limits that no test lives to see: what ends under them has not waited for one.
const unhurried = "[stop]\ndrain = \"1h\"\nshutdown = \"1h\"\nterm = \"1h\"\n[restart]\ninitial = \"1h\"\nmax = \"1h\"\n"

func TestStopInEveryState(t *testing.T) {
	enters := func(state supervisor.State) func(*fleet, *gate, uint64) {
		return func(f *fleet, _ *gate, after uint64) { f.awaitStateAfter(after, "x", state) }
	}
	tests := map[string]struct {
		role, more string
		reach      func(f *fleet, g *gate, after uint64) // waits until the module is where it is to be stopped
	}{
		"waiting for another module": {"polite", "[after]\nnobody = \"ready\"\n", enters(supervisor.Waiting)},
		"not connected yet": {"mute", "", func(f *fleet, _ *gate, after uint64) {
			f.awaitAfter(after, "the process", func(e supervisor.Entry) bool { return e.Module == "x" && e.Text == "spawned" })
		}},
		"in init": {"slow GATE", "", func(_ *fleet, g *gate, _ uint64) { g.arrival() }},
		"ready":   {"polite", "", enters(supervisor.Ready)},
		"unready": {"offline", "[health]\ninterval = \"10ms\"\n", func(f *fleet, _ *gate, after uint64) {
			_, err := f.say("x.say", "")
			require.NoError(f.t, err)
			f.awaitStateAfter(after, "x", supervisor.Unready)
		}},
		"in backoff": {"exit broken", "", enters(supervisor.Backoff)},
		"failed":     {"refuse", "", enters(supervisor.Failed)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, g := newFleet(t), newGate(t)
			f.opts.ByHand = map[string]bool{"nobody": true} // and nobody ever starts it
			f.add("nobody", "polite", nil, "")
			f.add("x", g.in(tt.role), []string{"x.say"}, tt.more+unhurried)
			f.start()
			tt.reach(f, g, 0)
			pids := f.pids()
			require.NoError(t, f.Stop(f.ctx, "x"))
			f.requireGone(pids)
			require.Empty(t, f.pids())
			require.Equal(t, supervisor.Stopped, f.instance("x").State)
			require.Equal(t, "x is stopped; `ixt start x` starts it", f.instance("x").Why)

			seq := f.Journal().Seq()
			require.NoError(t, f.Start("x"))
			tt.reach(f, g, seq)
		})
	}
}

func TestStopThatIsNotWaitedForGoesOn(t *testing.T) {
	f, g := newFleet(t), newGate(t)
	f.add("work", "polite", []string{"work.gate"}, unhurried)
	f.start()
	call := f.later("work.gate", g.path)
	a := g.arrival()
	restarted := f.restartLater("work")
	f.awaitState("work", supervisor.Draining)

	ctx, cancel := context.WithTimeout(f.ctx, 20*time.Millisecond)
	defer cancel()
	err := f.Stop(ctx, "work")
	requireTimeout(t, err)
	require.ErrorContains(t, err, "work:1.0.0/instance-001 has not ended yet; it goes on stopping")

	a.pass()
	require.NoError(t, <-call)
	seq := f.awaitState("work", supervisor.Stopped).Seq
	require.ErrorContains(t, <-restarted, "work:1.0.0/instance-001 was stopped")
	require.Equal(t, 1, f.spawned("work"))
	require.NoError(t, f.Start("work"))
	f.awaitStateAfter(seq, "work", supervisor.Ready)
}

func TestStartDuringADrainIsTheLastCommand(t *testing.T) {
	f, g := newFleet(t), newGate(t)
	f.add("work", "polite", []string{"work.gate", "work.say"}, unhurried)
	f.start()
	call := f.later("work.gate", g.path)
	a := g.arrival()
	stopped := f.stopLater("work")
	f.awaitState("work", supervisor.Draining)
	require.NoError(t, f.Start("work"))
	a.pass()
	require.NoError(t, <-call)
	require.NoError(t, <-stopped)
	got, err := f.say("work.say", "hello")
	require.NoError(t, err)
	require.Equal(t, "hello", got)
	require.Equal(t, 2, f.spawned("work"))
}

// stopLater stops a module in the background.
func (f *fleet) stopLater(module string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f.Stop(f.ctx, module) }()
	return done
}

// restartLater restarts a module in the background once it is ready.
func (f *fleet) restartLater(module string) <-chan error {
	f.awaitState(module, supervisor.Ready)
	done := make(chan error, 1)
	go func() { done <- f.Restart(f.ctx, module) }()
	return done
}

func TestCallsOfAModuleThatIsBeingStoppedAreRefusedAtOnce(t *testing.T) {
	f, g := newFleet(t), newGate(t)
	f.opts.Open = true
	f.add("work", "polite", []string{"work.meet", "work.say"}, "[services.\"work.say\"]\ntimeout = \"1h\"\n"+unhurried)
	f.start()
	call := f.later("work.meet", g.path+" work.say hello")
	a := g.arrival()
	stopped := f.stopLater("work")
	f.awaitState("work", supervisor.Draining)

	_, err := f.say("work.say", "hello")
	e := requireCode(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
	require.Equal(t, "work is stopped; `ixt start work` starts it", e.Message)

	a.pass() // and now it calls itself
	require.ErrorAs(t, <-call, &e)
	require.Contains(t, string(e.Details), `"outcome":"not_delivered","origin":"supervisor"`)
	require.NoError(t, <-stopped)
}

func TestModuleThatCallsItselfWhileItDrainsForARestartIsALoop(t *testing.T) {
	f, g := newFleet(t), newGate(t)
	f.opts.Open = true
	f.add("work", "polite", []string{"work.meet", "work.say"}, unhurried)
	f.add("other", "polite", []string{"other.forward"}, unhurried)
	f.start()
	for _, way := range []string{" work.say hello", " other.forward work.say hello"} {
		seq := f.Journal().Seq()
		call := f.later("work.meet", g.path+way)
		a := g.arrival()
		restarted := f.restartLater("work")
		f.awaitStateAfter(seq, "work", supervisor.Draining)
		a.pass()
		e := requireCode(t, <-call, ipc.CodeLoop, ipc.Done)
		require.Contains(t, string(e.Details), `"outcome":"not_delivered","origin":"supervisor"`)
		require.NoError(t, <-restarted)
	}
}

func TestCallDuringARestartWaitsForTheSuccessor(t *testing.T) {
	f, g := newFleet(t), newGate(t)
	f.add("work", "polite", []string{"work.gate", "work.say"}, unhurried)
	f.start()
	open := f.later("work.gate", g.path)
	a := g.arrival()
	restarted := f.restartLater("work")
	f.awaitState("work", supervisor.Draining)
	waiting := f.later("work.say", "hello")
	f.awaitQueue("work.say", 1)
	a.pass()
	require.NoError(t, <-open)
	require.NoError(t, <-waiting)
	require.NoError(t, <-restarted)
}

func TestOpenCallsAreDrainedOnceWhenAllStops(t *testing.T) {
	const drain = 2 * time.Second
	f, g := newFleet(t), newGate(t)
	f.add("work", "polite", []string{"work.gate"}, "[stop]\ndrain = \"2s\"\nshutdown = \"10ms\"\n")
	f.start()
	call := f.later("work.gate", g.path)
	g.arrival()
	f.halt()
	require.Error(t, <-call)
	all := f.await("the stop", func(e supervisor.Entry) bool { return e.Kind == supervisor.KindSupervisor && e.Text == "stopping" })
	stopping := f.awaitState("work", supervisor.Stopping)
	require.GreaterOrEqual(t, stopping.Time.Sub(all.Time), drain)
	require.Less(t, stopping.Time.Sub(all.Time), 2*drain)
}

// What dies while it drains has been stopping, too, before it is stopped.
func TestDeathWhileAllStops(t *testing.T) {
	f, g := newFleet(t), newGate(t)
	f.add("work", "polite", []string{"work.gate"}, "")
	f.start()
	call := f.later("work.gate", g.path)
	g.arrival()
	pid := f.pids()[0]
	f.stop()
	f.awaitState("work", supervisor.Draining)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	requireCode(t, <-call, ipc.CodeModuleGone, ipc.Unknown)
	f.awaitState("work", supervisor.Stopped)
	var states []supervisor.State
	for _, e := range f.Journal().Last(100) {
		if e.Kind == supervisor.KindState && e.Module == "work" && (len(states) == 0 || states[len(states)-1] != e.State) {
			states = append(states, e.State)
		}
	}
	require.Equal(t, []supervisor.State{supervisor.Starting, supervisor.Ready, supervisor.Draining, supervisor.Stopping}, states[:4])
	require.Equal(t, supervisor.Stopped, states[len(states)-1])
}

func TestShutdownMayCallWhatItComesAfter(t *testing.T) {
	f := newFleet(t)
	f.opts.Open = true
	f.add("plc", "polite", []string{"plc.say"}, "")
	f.addAfter("view", "farewell plc.say", "plc")
	f.start()
	f.awaitState("view", supervisor.Ready)
	f.halt()
	require.Equal(t, "exit 0", f.awaitExit("view"), "the call in its Shutdown failed")
}

func TestProcessMayTidyUpAfterItsLastAnswer(t *testing.T) {
	f, g := newFleet(t), newGate(t)
	f.add("db", "tidy "+g.path, []string{"db.say"}, unhurried)
	f.start()
	f.awaitState("db", supervisor.Ready)
	stopped := f.stopLater("db")
	a := g.arrival()
	a.stays()
	a.pass()
	require.NoError(t, <-stopped)
	require.Equal(t, "exit 0", f.awaitExit("db"))
}

// awaitExit waits for the end of a module's process and returns how it ended.
func (f *fleet) awaitExit(module string) string {
	return f.await("the exit of "+module, func(e supervisor.Entry) bool { return e.Kind == supervisor.KindExit && e.Module == module }).Text
}

// office is a host service whose one method is what a module wants done.
type office func(ctx context.Context) error

func (office) Name() string { return "office" }

func (o office) Call(ctx context.Context, _ supervisor.Caller, _ string, _ ipc.Data) (ipc.Data, error) {
	return ipc.Data{}, o(ctx)
}

func TestServiceMayStopTheModuleThatAsks(t *testing.T) {
	for name, patient := range map[string]bool{"as long as its request lives": false, "to the end": true} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			stopped := make(chan error, 1)
			f.opts.Services = []supervisor.Service{office(func(ctx context.Context) error {
				if patient {
					ctx = f.ctx
				}
				stopped <- f.Stop(ctx, "x")
				return nil
			})}
			f.add("x", "petitioner stop", []string{"x.say"}, unhurried)
			f.start()
			_, err := f.say("x.say", "")
			require.NoError(t, err)
			if err := <-stopped; patient {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "it goes on stopping")
			}
			f.awaitState("x", supervisor.Stopped)
			require.Equal(t, "exit 0", f.awaitExit("x"))
		})
	}
}

// TestOneModulesDrainHoldsUpNoOther stops a supervisor while the module with the short drain is busy and the one with the long
// drain is not.
func TestOneModulesDrainHoldsUpNoOther(t *testing.T) {
	f, g := newFleet(t), newGate(t)
	f.add("busy", "polite", []string{"busy.gate"}, "[stop]\ndrain = \"200ms\"\nshutdown = \"10ms\"\n")
	f.add("idle", "polite", []string{"idle.say"}, "[stop]\ndrain = \"1h\"\n")
	f.start()
	f.awaitState("idle", supervisor.Ready)
	call := f.later("busy.gate", g.path)
	g.arrival()
	f.halt() // within the test's patience
	require.Error(t, <-call)
	require.Equal(t, "the supervisor stops", f.awaitState("idle", supervisor.Draining).Text)
}
