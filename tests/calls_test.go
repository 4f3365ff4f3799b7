package tests

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

func requireCode(t *testing.T, err error, code string, outcome ipc.Outcome) *ipc.Error {
	t.Helper()
	var e *ipc.Error
	require.True(t, errors.As(err, &e), "%v is no *ipc.Error", err)
	require.Equal(t, code, e.Code, "%v", err)
	require.Equal(t, outcome, e.Outcome, "%v", err)
	return e
}

// requireTimeout leaves open who said it: the supervisor, or the handler that saw the same deadline pass.
func requireTimeout(t *testing.T, err error) {
	t.Helper()
	var e *ipc.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, ipc.CodeTimeout, e.Code, "%v", err)
}

func TestCallIsAnswered(t *testing.T) {
	f := newFleet(t)
	f.add("echo", "polite", []string{"echo.say"}, "")
	f.start()
	got, err := f.say("echo.say", "hello")
	require.NoError(t, err)
	require.Equal(t, "hello", got)
}

func TestModuleWithoutSDK(t *testing.T) {
	f := newFleet(t)
	f.add("bare", "bare", []string{"bare.any"}, "")
	f.start()
	for range 3 {
		got, err := f.say("bare.any", "x")
		require.NoError(t, err)
		require.Equal(t, "bare", got)
	}
}

func TestUnknownTopicSuggests(t *testing.T) {
	f := newFleet(t)
	f.add("echo", "polite", []string{"echo.say"}, "")
	f.start()
	_, err := f.say("echo.sya", "")
	e := requireCode(t, err, ipc.CodeNoProvider, ipc.NotDelivered)
	require.Equal(t, "no module provides echo.sya; did you mean echo.say? `ixt topics` lists what there is", e.Message)
	require.Equal(t, ipc.Supervisor, e.Origin)
}

func TestModuleCannotForgeAnOutcome(t *testing.T) {
	f := newFleet(t)
	f.add("liar", "polite", []string{"liar.fail", "liar.panic"}, "")
	f.start()
	_, err := f.say("liar.fail", "")
	e := requireCode(t, err, "NO_PROVIDER", ipc.Done)
	require.Equal(t, "liar:1.0.0/instance-001", e.Origin)

	_, err = f.say("liar.panic", "")
	e = requireCode(t, err, ipc.CodeHandlerPanic, ipc.Done)
	require.Contains(t, e.Message, "on request")
}

func TestKilledInFlight(t *testing.T) {
	f := newFleet(t)
	f.add("work", "polite", []string{"work.gate", "work.say", "work.pid"}, "")
	f.start()
	g := newGate(t)
	call := f.later("work.gate", g.path)
	a := g.arrival()
	pid := f.pids()[0]
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	e := requireCode(t, <-call, ipc.CodeModuleGone, ipc.Unknown)
	require.Equal(t, ipc.Supervisor, e.Origin)
	a.gone()

	got, err := f.say("work.pid", "")
	require.NoError(t, err)
	require.NotEqual(t, fmt.Sprint(pid), got)
	exit := f.await("the exit", func(e supervisor.Entry) bool { return e.Kind == supervisor.KindExit })
	require.Equal(t, "signal: killed", exit.Text)
}

func TestIdempotentCallIsRetriedElsewhere(t *testing.T) {
	f := newFleet(t)
	f.add("work", "polite", []string{"work.gate"}, "[services.\"work.gate\"]\nidempotent = true\n")
	f.start()
	g := newGate(t)
	call := f.later("work.gate", g.path)
	a := g.arrival()
	require.NoError(t, syscall.Kill(f.pids()[0], syscall.SIGKILL))
	a.gone()
	g.arrival().pass()
	require.NoError(t, <-call)
}

func TestBrokenWire(t *testing.T) {
	tests := map[string]struct{ role, code, exit string }{
		"an answer that is not JSON": {"garbage", ipc.CodeProtocolError, "protocol error: a frame is not a JSON object"},
		"death in the middle of one": {"partial", ipc.CodeModuleGone, "exit 6"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			f.add("bad", tt.role, []string{"bad.say"}, "")
			f.start()
			_, err := f.say("bad.say", "x")
			requireCode(t, err, tt.code, ipc.Unknown)
			e := f.awaitState("bad", supervisor.Backoff)
			require.Contains(t, e.Text, tt.exit)
		})
	}
}

func TestDeadline(t *testing.T) {
	f := newFleet(t)
	f.add("slow", "polite", []string{"slow.patient", "slow.say"}, "[services.\"slow.patient\"]\ntimeout = \"100ms\"\n")
	f.start()
	_, err := f.say("slow.say", "awake")
	require.NoError(t, err)
	g := newGate(t)
	_, err = f.say("slow.patient", g.path)
	requireTimeout(t, err)
	a := g.arrival()
	_, err = a.conn.Read(make([]byte, 1))
	require.NoError(t, err, "the handler's ctx did not end")
	got, err := f.say("slow.say", "still here")
	require.NoError(t, err)
	require.Equal(t, "still here", got)
}

func TestCancelReachesTheHandler(t *testing.T) {
	f := newFleet(t)
	f.add("slow", "polite", []string{"slow.patient"}, "")
	f.start()
	g := newGate(t)
	ctx, cancel := context.WithCancel(f.ctx)
	done := make(chan error, 1)
	go func() {
		_, err := f.Call(ctx, supervisor.Message{Topic: "slow.patient", Payload: []byte(g.path)})
		done <- err
	}()
	a := g.arrival()
	cancel()
	requireCode(t, <-done, ipc.CodeCancelled, ipc.Unknown)
	_, err := a.conn.Read(make([]byte, 1))
	require.NoError(t, err, "the handler's ctx did not end")
}

func TestQueueIsBoundedAndFullMeansBusy(t *testing.T) {
	f := newFleet(t)
	f.add("narrow", "serial", []string{"narrow.gate", "narrow.say"}, "[services.\"narrow.gate\"]\nqueue = 2\n")
	f.start()
	_, err := f.say("narrow.say", "awake")
	require.NoError(t, err)
	g := newGate(t)
	inside := f.later("narrow.gate", g.path)
	a := g.arrival()
	var waiting []<-chan error
	for range 2 {
		waiting = append(waiting, f.later("narrow.gate", g.path))
	}
	f.awaitQueue("narrow.gate", 2)
	_, err = f.say("narrow.gate", g.path)
	e := requireCode(t, err, ipc.CodeBusy, ipc.NotDelivered)
	require.Positive(t, e.RetryAfter)

	// What waits longer than its caller allows was never delivered.
	_, err = f.Call(f.ctx, supervisor.Message{Topic: "narrow.say", TTL: 20 * time.Millisecond})
	requireCode(t, err, ipc.CodeTTLExpired, ipc.NotDelivered)

	a.pass()
	require.NoError(t, <-inside)
	for range waiting {
		g.arrival().pass()
	}
	for _, w := range waiting {
		require.NoError(t, <-w)
	}
}

// awaitQueue waits until so many calls wait for a topic. Queueing is not journaled, so this looks again and again.
func (f *fleet) awaitQueue(topic string, n int) {
	require.Eventually(f.t, func() bool {
		for _, s := range f.Topics() {
			if s.Topic == topic {
				return s.Queued == n
			}
		}
		return false
	}, patience, time.Millisecond)
}

func TestLateAnswerKeepsItsSlot(t *testing.T) {
	f := newFleet(t)
	f.add("narrow", "serial", []string{"narrow.gate", "narrow.say"}, "")
	f.start()
	_, err := f.say("narrow.say", "awake")
	require.NoError(t, err)
	g := newGate(t)
	_, err = f.Call(f.ctx, supervisor.Message{Topic: "narrow.gate", Payload: []byte(g.path), TTL: 100 * time.Millisecond})
	requireCode(t, err, ipc.CodeTimeout, ipc.Unknown)
	_, err = f.Call(f.ctx, supervisor.Message{Topic: "narrow.say", TTL: 20 * time.Millisecond})
	requireCode(t, err, ipc.CodeTTLExpired, ipc.NotDelivered)
	g.arrival().pass()
	got, err := f.say("narrow.say", "free again")
	require.NoError(t, err)
	require.Equal(t, "free again", got)
	m, err := f.Module("narrow")
	require.NoError(t, err)
	require.Equal(t, 1, m.Instances[0].Late)
}

func TestDeafModuleStallsOnlyItself(t *testing.T) {
	f := newFleet(t)
	f.add("deaf", "deaf", []string{"deaf.say"}, "[stop]\ndrain = \"100ms\"\nshutdown = \"100ms\"\n")
	f.add("echo", "polite", []string{"echo.say"}, "")
	f.start()
	big := make([]byte, 1<<20)
	var calls []<-chan error
	for range 8 {
		done := make(chan error, 1)
		go func() {
			_, err := f.Call(f.ctx, supervisor.Message{Topic: "deaf.say", Payload: big, TTL: 2 * time.Second})
			done <- err
		}()
		calls = append(calls, done)
	}
	got, err := f.say("echo.say", "hello")
	require.NoError(t, err)
	require.Equal(t, "hello", got)
	for _, c := range calls {
		var e *ipc.Error
		require.ErrorAs(t, <-c, &e)
		require.Contains(t, []string{ipc.CodeTimeout, ipc.CodeTTLExpired}, e.Code)
	}
}

func TestFloodEndsOnlyItsConnection(t *testing.T) {
	f := newFleet(t)
	f.add("flood", "flood", []string{"flood.say"}, "[requires]\nservices = [\"nobody.*\"]\n")
	f.add("echo", "polite", []string{"echo.say"}, "")
	f.start()
	e := f.awaitState("flood", supervisor.Backoff)
	require.Contains(t, e.Text, "without reading the answers")
	got, err := f.say("echo.say", "hello")
	require.NoError(t, err)
	require.Equal(t, "hello", got)
}

func TestModulesCallEachOther(t *testing.T) {
	f := newFleet(t)
	f.add("a", "polite", []string{"a.forward", "a.say"}, "[requires]\nservices = [\"b.*\", \"nobody.*\"]\n")
	f.add("b", "polite", []string{"b.forward", "b.say"}, "[requires]\nservices = [\"a.*\"]\n")
	f.start()
	got, err := f.say("a.forward", "b.forward a.forward b.say hello")
	require.NoError(t, err)
	require.Equal(t, "hello", got)
}

func TestCallThatIsNotRequiredIsDenied(t *testing.T) {
	f := newFleet(t)
	f.add("a", "polite", []string{"a.forward"}, "[requires]\nservices = [\"c.*\"]\n")
	f.add("b", "polite", []string{"b.say"}, "")
	f.start()
	_, err := f.say("a.forward", "b.say hello")
	e := requireCode(t, err, ipc.CodeDenied, ipc.Done)
	require.Contains(t, e.Message, `services = ["c.*", "b.say"]`)
	require.Contains(t, string(e.Details), `"outcome":"not_delivered"`)
}

func TestOpenAllowsEverything(t *testing.T) {
	f := newFleet(t)
	f.opts.Open = true
	f.add("a", "polite", []string{"a.forward"}, "")
	f.add("b", "polite", []string{"b.say"}, "")
	f.start()
	got, err := f.say("a.forward", "b.say hello")
	require.NoError(t, err)
	require.Equal(t, "hello", got)
}

func TestLoop(t *testing.T) {
	f := newFleet(t)
	f.opts.Open = true
	f.add("a", "serial", []string{"a.forward", "a.say"}, "")
	f.add("b", "polite", []string{"b.forward", "b.say"}, "")
	f.start()
	_, err := f.say("a.forward", "b.forward a.say hello")
	requireCode(t, err, ipc.CodeLoop, ipc.Done)

	deep := "b.say hello"
	for range 20 {
		deep = "b.forward " + deep
	}
	_, err = f.say("b.forward", deep)
	requireCode(t, err, ipc.CodeLoop, ipc.Done)
}

func TestChildEndsWithItsParent(t *testing.T) {
	f := newFleet(t)
	f.opts.Open = true
	f.add("a", "polite", []string{"a.forward"}, "")
	f.add("b", "polite", []string{"b.patient", "b.say"}, "")
	f.start()
	_, err := f.say("b.say", "awake")
	require.NoError(t, err)
	g := newGate(t)
	_, err = f.Call(f.ctx, supervisor.Message{Topic: "a.forward", Payload: []byte("b.patient " + g.path), TTL: 200 * time.Millisecond})
	requireTimeout(t, err)
	a := g.arrival()
	_, err = a.conn.Read(make([]byte, 1))
	require.NoError(t, err, "the child's ctx did not end")
}
