package tests

import (
	"context"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// newByHand is a running fleet whose one module, x, is left to the test to start.
func newByHand(t *testing.T, more string) *fleet {
	f := newFleet(t)
	f.opts.ByHand = map[string]bool{"x": true}
	f.add("x", "exit spawned", []string{"x.left", "x.say"}, more)
	return f.start()
}

// playByHand plays x as soon as an entry after the one numbered after says that it is waited for; it returns that entry's number.
func (f *fleet) playByHand(after uint64, role string) (*exec.Cmd, uint64) {
	e := f.awaitStateAfter(after, "x", supervisor.Waiting)
	require.Equal(f.t, "for the module to be started by hand", e.Text)
	cmd := command(f.t, role, "GORACE=atexit_sleep_ms=0", ipc.EnvSocket+"="+f.instance("x").Socket)
	require.NoError(f.t, cmd.Start())
	f.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, e.Seq
}

func TestModuleByHandHasNoDefaultDeadline(t *testing.T) {
	f := newByHand(t, "[services.\"x.left\"]\ntimeout = \"1ms\"\n")
	cmd, _ := f.playByHand(0, "polite")
	answer, err := f.Call(context.Background(), supervisor.Message{Topic: "x.left"})
	require.NoError(t, err)
	left, _ := answer.Payload()
	require.Equal(t, "no limit", string(left))
	f.halt()
	require.NoError(t, cmd.Wait(), "it was not stopped in order")
}

func TestModuleByHandIsWaitedForAgain(t *testing.T) {
	f := newByHand(t, unhurried)
	first, seq := f.playByHand(0, "polite")
	_, err := f.say("x.say", "hello")
	require.NoError(t, err)
	require.NoError(t, first.Process.Kill())
	require.Error(t, first.Wait())

	second, _ := f.playByHand(seq, "polite")
	got, err := f.say("x.say", "hello again")
	require.NoError(t, err)
	require.Equal(t, "hello again", got)
	require.NoError(t, f.Stop(f.ctx, "x"))
	require.NoError(t, second.Wait(), "it was not stopped in order")
	require.Zero(t, f.spawned("x"))
}

func TestModuleByHandMayBeKilledInItsStartAsOftenAsOneLikes(t *testing.T) {
	f, g := newByHand(t, unhurried), newGate(t)
	var seq uint64
	for range 7 {
		var cmd *exec.Cmd
		cmd, seq = f.playByHand(seq, "slow "+g.path)
		g.arrival()
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
	}
	cmd, _ := f.playByHand(seq, "polite")
	_, err := f.say("x.say", "hello")
	require.NoError(t, err)
	f.halt()
	require.NoError(t, cmd.Wait())
}
