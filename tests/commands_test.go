package tests

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

func TestRunTwiceIsAnErrorAtOnce(t *testing.T) {
	f := newFleet(t)
	f.add("echo", "polite", []string{"echo.say"}, "")
	f.start()
	f.awaitState("echo", supervisor.Ready)
	require.ErrorContains(t, f.Run(f.ctx), "Run was called before")
	_, err := f.say("echo.say", "hello")
	require.NoError(t, err)
}

func TestCallBeforeRunEndsWithItsCaller(t *testing.T) {
	f := newFleet(t)
	f.add("echo", "polite", []string{"echo.say"}, "")
	f.opts.Dirs = []string{f.dir}
	s, err := supervisor.New(&f.opts)
	require.NoError(t, err)
	cancelled, cancel := context.WithCancel(f.ctx)
	cancel()
	late, cancel := context.WithDeadline(f.ctx, time.Now())
	defer cancel()
	for code, ctx := range map[string]context.Context{ipc.CodeCancelled: cancelled, ipc.CodeUnavailable: late} {
		_, err = s.Call(ctx, supervisor.Message{Topic: "echo.say"})
		e := requireCode(t, err, code, ipc.NotDelivered)
		require.Equal(t, ipc.Supervisor, e.Origin)
	}
}

func TestStartOnDemandAlsoStartsWhatItComesAfter(t *testing.T) {
	f := newFleet(t)
	f.opts.OnDemand = true
	f.add("plc", "polite", []string{"plc.say"}, "")
	f.add("other", "polite", []string{"other.say"}, "")
	f.addAfter("view", "polite", "plc")
	f.start()
	f.awaitUp()
	require.NoError(t, f.Start("view"))
	f.awaitState("view", supervisor.Ready)
	require.Equal(t, supervisor.Ready, f.instance("plc").State)
	require.Zero(t, f.spawned("other"))
}

// awaitUp waits until commands can be given.
func (f *fleet) awaitUp() {
	f.await("the start", func(e supervisor.Entry) bool { return e.Kind == supervisor.KindSupervisor })
}

func TestStartPressedOftenStartsOnce(t *testing.T) {
	const crowd = 6
	f := newFleet(t)
	f.add("x", "once "+filepath.Join(f.dir, "been-here"), []string{"x.say"}, "[scale]\ninstances = 6\n"+unhurried)
	f.start()
	f.awaitInstancesAfter(0, "x", crowd, supervisor.Backoff)
	seq := f.Journal().Seq()
	for range 40 {
		require.NoError(t, f.Start("x"))
	}
	f.awaitInstancesAfter(seq, "x", crowd, supervisor.Ready)
	for range 2 * crowd {
		_, err := f.say("x.say", "")
		require.NoError(t, err)
	}
	f.halt()
	require.Equal(t, 2*crowd, f.spawned("x"))
	require.NotContains(t, f.story(), "restart asked for")
}

func TestRestartBringsUpWhatIsDown(t *testing.T) {
	const crowd = 3
	tests := map[string]struct {
		more  string
		state supervisor.State
	}{
		"in backoff":              {"", supervisor.Backoff},
		"failed":                  {"give_up = 1\n", supervisor.Failed},
		"stopped while it rested": {"", supervisor.Stopped},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			f.add("x", "once "+filepath.Join(f.dir, "been-here"), []string{"x.say"}, "[scale]\ninstances = 3\n"+unhurried+tt.more)
			f.start()
			if tt.state == supervisor.Stopped {
				f.awaitInstancesAfter(0, "x", crowd, supervisor.Backoff)
				require.NoError(t, f.Stop(f.ctx, "x"))
			}
			f.awaitInstancesAfter(0, "x", crowd, tt.state)
			require.NoError(t, f.Restart(f.ctx, "x"))
			m, err := f.Module("x")
			require.NoError(t, err)
			require.Len(t, m.Instances, crowd)
			for _, in := range m.Instances {
				require.Equal(t, supervisor.Ready, in.State)
			}
		})
	}
}

func TestRestartDuringAStartIsThatStart(t *testing.T) {
	f, g := newFleet(t), newGate(t)
	f.add("x", "slow "+g.path, []string{"x.say"}, unhurried)
	f.start()
	a := g.arrival()
	ctx, cancel := context.WithTimeout(f.ctx, 20*time.Millisecond)
	defer cancel()
	requireTimeout(t, f.Restart(ctx, "x"))
	a.pass()
	_, err := f.say("x.say", "")
	require.NoError(t, err)
	f.halt()
	require.Equal(t, 1, f.spawned("x"))
	require.NotContains(t, f.story(), "restart asked for")
}

// restartInVain returns a restart of view that waits for plc, which is stopped.
func restartInVain(t *testing.T, ctx context.Context) (*fleet, <-chan error) {
	f := newFleet(t)
	f.add("plc", "polite", []string{"plc.say"}, "")
	f.add("view", "once "+filepath.Join(f.dir, "been-here"), []string{"view.say"}, "[after]\nplc = \"ready\"\n"+unhurried)
	f.start()
	f.awaitState("view", supervisor.Backoff)
	require.NoError(t, f.Stop(f.ctx, "plc"))
	seq := f.Journal().Seq()
	restarted := make(chan error, 1)
	go func() { restarted <- f.Restart(ctx, "view") }()
	f.awaitStateAfter(seq, "view", supervisor.Waiting)
	return f, restarted
}

func TestRestartInVainDoesNotHoldRunUp(t *testing.T) {
	f, restarted := restartInVain(t, context.Background())
	f.halt()
	requireCode(t, <-restarted, ipc.CodeUnavailable, ipc.NotDelivered)
}

func TestRestartInVainEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f, restarted := restartInVain(t, ctx)
	short, stop := context.WithTimeout(f.ctx, 20*time.Millisecond)
	defer stop()
	requireTimeout(t, f.Restart(short, "view")) // it waits for its turn
	cancel()
	require.ErrorIs(t, <-restarted, &ipc.Error{Code: ipc.CodeCancelled})

	require.NoError(t, f.Start("plc"))
	require.NoError(t, f.Restart(f.ctx, "view"))
	require.Equal(t, supervisor.Ready, f.instance("view").State)
}
