package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

func TestRefusalIsTheReasonHoweverTheProcessGoes(t *testing.T) {
	const crowd = 8
	const forGood = "; not retried until the configuration changes"
	tests := map[string]struct {
		role  string
		state supervisor.State
		why   string
	}{
		"refused by the SDK":             {"refuse", supervisor.Failed, "init failed: CONFIG_INVALID: config.limit: 7 is too much; write at most 5" + forGood},
		"refused and left at once":       {"decline CONFIG_INVALID leaves", supervisor.Failed, "init failed: CONFIG_INVALID: not like this" + forGood},
		"refused and stayed":             {"decline CONFIG_INVALID stays", supervisor.Failed, "init failed: CONFIG_INVALID: not like this" + forGood},
		"refused for another reason":     {"decline NOT_TODAY leaves", supervisor.Backoff, "init failed: NOT_TODAY: not like this: 1st failed start"},
		"refused so, and stayed as well": {"decline NOT_TODAY stays", supervisor.Backoff, "init failed: NOT_TODAY: not like this: 1st failed start"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			f.add("picky", tt.role, []string{"picky.say"}, "[scale]\ninstances = 8\n"+unhurried)
			f.start()
			f.awaitInstancesAfter(0, "picky", crowd, tt.state)
			m, err := f.Module("picky")
			require.NoError(t, err)
			for _, in := range m.Instances {
				require.Equal(t, tt.state, in.State)
				require.Contains(t, in.Why, tt.why)
				require.Equal(t, tt.state == supervisor.Failed, in.NextStart == nil, "the next attempt")
			}
			require.Equal(t, crowd, f.spawned("picky"))
		})
	}
}

func TestAnswerOfAWrongShapeFailsOnlyItsCall(t *testing.T) {
	f := newFleet(t)
	f.add("bad", "shapeless", []string{"bad.say"}, "[services.\"bad.say\"]\nidempotent = true\n"+unhurried)
	f.start()
	_, err := f.say("bad.say", "")
	e := requireCode(t, err, ipc.CodeProtocolError, ipc.Unknown)
	require.Equal(t, "the data of an answer is not a JSON object", e.Message)
	got, err := f.say("bad.say", "")
	require.NoError(t, err)
	require.Equal(t, "bare", got)
	require.Equal(t, 1, f.spawned("bad"))
	topic := f.Topics()[0]
	require.Equal(t, []uint64{1, 1, 0}, []uint64{topic.Done, topic.Failed, topic.Retried})
}

const eager = "[health]\ninterval = \"10ms\"\ntimeout = \"10ms\"\nfailures = 3\n"

func TestSerialModuleThatHangsPastItsDeadlineIsFoundOut(t *testing.T) {
	f := newFleet(t)
	f.add("x", "wedged", []string{"x.say"}, "[services.\"x.say\"]\ntimeout = \"300ms\"\n[stop]\ndrain = \"10ms\"\nshutdown = \"10ms\"\n[restart]\ngive_up = 1\n"+eager)
	f.start()
	f.awaitState("x", supervisor.Ready)
	_, err := f.say("x.say", "")
	requireCode(t, err, ipc.CodeTimeout, ipc.Unknown)
	e := f.awaitState("x", supervisor.Failed)
	require.Equal(t, "gave up after 1st failure: health check failed: a call is past its deadline and not answered (3 of 3)", e.Text)
}

func TestBusyModuleThatAnswersNoHealthCheckIsNotRestarted(t *testing.T) {
	f := newFleet(t)
	f.add("x", "absorbed", []string{"x.say"}, unhurried+eager)
	f.start()
	got, err := f.say("x.say", "")
	require.NoError(t, err)
	require.Equal(t, "bare", got)
	require.Equal(t, supervisor.Ready, f.instance("x").State)
	require.Equal(t, 1, f.spawned("x"))
}

func TestBrokenWireIsTheReasonAlsoBeforeACleanExit(t *testing.T) {
	f := newFleet(t)
	f.add("bad", "garbage leaves", []string{"bad.say"}, unhurried+"give_up = 1\n")
	f.start()
	_, err := f.say("bad.say", "")
	requireCode(t, err, ipc.CodeProtocolError, ipc.Unknown)
	require.Equal(t, "gave up after 1st failure: protocol error: a frame is not a JSON object", f.awaitState("bad", supervisor.Failed).Text)
	require.Equal(t, "exit 0", f.awaitExit("bad"))
}
