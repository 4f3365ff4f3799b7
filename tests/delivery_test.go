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

func TestCallThatDiedIsNotSentOnUnlessItsModuleAllowsThat(t *testing.T) {
	f, g := newFleet(t), newGate(t)
	f.add("safe", "polite", []string{"work.gate"}, "[services.\"work.gate\"]\nidempotent = true\n"+unhurried)
	f.add("unsafe", "polite", []string{"work.gate"}, unhurried)
	f.start()
	f.awaitUp()
	require.NoError(t, f.Stop(f.ctx, "safe"))
	call := f.later("work.gate", g.path)
	g.arrival()
	doomed := f.instance("unsafe").PID
	require.NoError(t, f.Restart(f.ctx, "safe"))
	require.NoError(t, syscall.Kill(doomed, syscall.SIGKILL))
	requireCode(t, <-call, ipc.CodeModuleGone, ipc.Unknown)
	require.Zero(t, f.Topics()[0].Retried)
}

func TestOutcomeIsUnknownWhenEveryAttemptDied(t *testing.T) {
	tests := map[string]struct {
		more, code string
		retried    uint64
	}{
		"three attempts":                 {"[restart]\ninitial = \"1ms\"\n", ipc.CodeModuleGone, 2},
		"nobody left for the second one": {"[restart]\ngive_up = 1\n", ipc.CodeUnavailable, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			f.add("work", "polite", []string{"work.crash"}, "[services.\"work.crash\"]\nidempotent = true\n"+tt.more)
			f.start()
			_, err := f.say("work.crash", "")
			requireCode(t, err, tt.code, ipc.Unknown)
			require.Equal(t, tt.retried, f.Topics()[0].Retried)
		})
	}
}

func TestCallWithoutAQueueStillWaitsForTheFirstInstance(t *testing.T) {
	f := newFleet(t)
	f.opts.OnDemand = true
	f.add("echo", "polite", []string{"echo.say"}, "[services.\"echo.say\"]\nqueue = 0\n")
	f.start()
	got, err := f.say("echo.say", "hello")
	require.NoError(t, err)
	require.Equal(t, "hello", got)
}

func TestCallEndsWhenWhatItsModuleComesAfterHasFailed(t *testing.T) {
	f := newFleet(t)
	f.add("plc", "refuse", []string{"plc.say"}, "")
	f.add("gauge", "polite", []string{"gauge.say"}, "[after]\nplc = \"ready\"\n")
	f.add("view", "polite", []string{"view.say"}, "[after]\ngauge = \"ready\"\n[services.\"view.say\"]\ntimeout = \"1h\"\n")
	f.start()
	_, err := f.say("view.say", "")
	e := requireCode(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
	require.Equal(t, "view is waiting: for gauge to be ready; gauge is waiting: for plc to be ready; "+
		"plc has failed: init failed: CONFIG_INVALID: config.limit: 7 is too much; write at most 5; "+
		"not retried until the configuration changes; `ixt start plc` tries now", e.Message)
}

func TestCallRefusedByAFailedModuleCountsOnce(t *testing.T) {
	f := newFleet(t)
	f.add("picky", "refuse", []string{"picky.say"}, "")
	f.start()
	f.awaitState("picky", supervisor.Failed)
	_, err := f.say("picky.say", "")
	requireCode(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
	topics := f.Topics()
	require.Len(t, topics, 1)
	require.Equal(t, []supervisor.Failures{{Outcome: ipc.NotDelivered, Code: ipc.CodeUnavailable, Calls: 1}}, topics[0].Failures)
	require.EqualValues(t, 1, topics[0].NotDelivered)
	require.Zero(t, topics[0].Done+topics[0].Errors+topics[0].Unknown+topics[0].Rejected)
}

func TestLoopThroughTheLimitOfATopic(t *testing.T) {
	f := newFleet(t)
	f.opts.Open = true
	f.add("a", "polite", []string{"a.forward", "a.say"}, "[services.\"a.forward\"]\nconcurrency = 1\n")
	f.add("b", "polite", []string{"b.forward"}, "")
	f.start()
	for _, way := range []string{"a.forward a.say hello", "b.forward a.forward a.say hello"} {
		_, err := f.say("a.forward", way)
		requireCode(t, err, ipc.CodeLoop, ipc.Done)
	}
	got, err := f.say("a.forward", "a.say hello") // another topic of the same module has room
	require.NoError(t, err)
	require.Equal(t, "hello", got)
}

func TestShortestLimitHolds(t *testing.T) {
	const short = 20 * time.Second
	tests := map[string]struct {
		timeout       string
		ttl, patience time.Duration // 0: none
	}{
		"the topic's timeout":              {timeout: "20s"},
		"the topic's timeout caps the TTL": {timeout: "20s", ttl: time.Hour},
		"a TTL within the topic's timeout": {timeout: "1h", ttl: short},
		"a ctx that ends before both":      {timeout: "1h", ttl: time.Hour, patience: short},
		"a TTL before the end of the ctx":  {timeout: "1h", ttl: short, patience: time.Hour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			f.add("x", "polite", []string{"x.left"}, "[services.\"x.left\"]\ntimeout = \""+tt.timeout+"\"\n")
			f.start()
			ctx := context.Background()
			if tt.patience > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.patience)
				defer cancel()
			}
			answer, err := f.Call(ctx, supervisor.Message{Topic: "x.left", TTL: tt.ttl})
			require.NoError(t, err)
			text, _ := answer.Payload()
			left, err := time.ParseDuration(string(text))
			require.NoError(t, err)
			require.LessOrEqual(t, left, short)
			require.Greater(t, left, short/2)
		})
	}
}
