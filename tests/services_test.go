package tests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// ask makes the module named asker ask its host, and returns what the host says.
func (f *fleet) ask(service, method, params string) (string, error) {
	request, err := json.Marshal(ask{service, method, json.RawMessage(params)})
	require.NoError(f.t, err)
	answer, err := f.Call(f.ctx, supervisor.Message{Topic: "asker.ask", Payload: request})
	if err != nil {
		return "", err
	}
	return string(answer.JSON()), nil
}

func newAskingFleet(t *testing.T) *fleet {
	f := newFleet(t)
	f.add("asker", "asking", []string{"asker.ask"}, "[requires]\nservices = [\"echo.*\"]\n")
	f.add("echo", "polite", []string{"echo.pid", "echo.say", "echo.gate"}, "[scale]\ninstances = 2\n")
	f.add("echo2", "polite", []string{"echo.pid"}, "")
	return f.start()
}

func TestTarget(t *testing.T) {
	f := newAskingFleet(t)
	pids := map[string]string{}
	for _, target := range []string{"echo:1.0.0/instance-001", "echo:1.0.0/instance-002", "echo2"} {
		for range 3 {
			answer, err := f.Call(f.ctx, supervisor.Message{Topic: "echo.pid", Target: target})
			require.NoError(t, err)
			payload, _ := answer.Payload()
			if pids[target] != "" {
				require.Equal(t, pids[target], string(payload))
			}
			pids[target] = string(payload)
		}
	}
	require.NotEqual(t, pids["echo:1.0.0/instance-001"], pids["echo:1.0.0/instance-002"])
	for range 3 {
		answer, err := f.Call(f.ctx, supervisor.Message{Topic: "echo.pid", Target: "echo:1.0.0"})
		require.NoError(t, err)
		payload, _ := answer.Payload()
		require.NotEqual(t, pids["echo2"], string(payload))
	}
	for _, nobody := range []string{"echo3", "echo:1.0.1", "echo:1.0.0/instance-003"} {
		_, err := f.Call(f.ctx, supervisor.Message{Topic: "echo.pid", Target: nobody})
		e := requireCode(t, err, ipc.CodeNoProvider, ipc.NotDelivered)
		require.Equal(t, "no module "+nobody+" provides echo.pid; it is provided by echo, echo2", e.Message)
	}
}

// A call for one that is busy waits for it; a call for anybody does not wait behind it.
func TestTargetIsWaitedFor(t *testing.T) {
	f := newFleet(t)
	f.add("slow", "serial", []string{"work.gate", "work.pid"}, "")
	f.add("fast", "serial", []string{"work.gate", "work.pid"}, "")
	f.start()
	f.awaitState("fast", supervisor.Ready)
	g := newGate(t)
	busy := f.targeted("slow", "work.gate", g.path)
	a := g.arrival()
	waiting := f.targeted("slow", "work.pid", "")
	_, err := f.say("work.pid", "")
	require.NoError(t, err)
	select {
	case err := <-waiting:
		require.Fail(t, "it did not wait", "%v", err)
	default:
	}
	a.pass()
	require.NoError(t, <-busy)
	require.NoError(t, <-waiting)
}

// targeted calls in the background.
func (f *fleet) targeted(target, topic, payload string) <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := f.Call(f.ctx, supervisor.Message{Topic: topic, Target: target, Payload: []byte(payload)})
		ended <- err
	}()
	return ended
}

func TestSend(t *testing.T) {
	f := newAskingFleet(t)
	g := newGate(t)
	params := fmt.Sprintf(`{"topic":"echo.gate","payload":%q}`, ipc.EncodePayload([]byte(g.path)).Text())
	got, err := f.ask("message_bus", "send", params)
	require.NoError(t, err)
	require.Equal(t, "{}", got, "nobody waits for it")
	g.arrival().pass()

	for params, code := range map[string]string{
		`{"topic":"echo.sya"}`:                    ipc.CodeNoProvider,
		`{"topic":"asker.ask"}`:                   ipc.CodeDenied,
		`{"topic":"echo.pid","target":"nowhere"}`: ipc.CodeNoProvider,
		`{"topic":5}`:                             ipc.CodeInvalidInput,
	} {
		_, err := f.ask("message_bus", "send", params)
		requireCode(t, err, code, ipc.Done)
	}
}

// The end of a call that was sent is in the journal and nowhere else.
func TestSentCallThatFails(t *testing.T) {
	f := newFleet(t)
	f.add("asker", "asking", []string{"asker.ask"}, "[requires]\nservices = [\"frail.crash\"]\n")
	f.add("frail", "polite", []string{"frail.crash"}, unhurried)
	f.start()
	got, err := f.ask("message_bus", "send", `{"topic":"frail.crash"}`)
	require.NoError(t, err)
	require.Equal(t, "{}", got)
	e := f.await("its end", func(e supervisor.Entry) bool { return e.Kind == supervisor.KindCall })
	require.Equal(t, ipc.CodeModuleGone, e.Code)
	require.Equal(t, "frail.crash", e.Topic)
}

func TestWriteToTheLog(t *testing.T) {
	f := newAskingFleet(t)
	got, err := f.ask("log", "write", `{"level":"warn","message":"belt slips","fields":{"line":7,"big":12345678901234567890}}`)
	require.NoError(t, err)
	require.Equal(t, "{}", got)
	_, err = f.ask("log", "write", `{"message":"no level"}`)
	require.NoError(t, err)
	entries, err := f.Logs().Tail("asker", 10)
	require.NoError(t, err)
	var lines []string
	for _, e := range entries {
		lines = append(lines, fmt.Sprintf("%s %03d %s %s %s", e.Level, e.Instance, e.Message, e.Fields["line"], e.Fields["big"]))
	}
	require.Equal(t, "warn 001 belt slips 7 12345678901234567890\ninfo 001 no level  ", strings.Join(lines, "\n"))

	_, err = f.ask("log", "read", `{}`)
	requireCode(t, err, ipc.CodeUnknownType, ipc.Done)
	_, err = f.ask("log", "write", `{"message":5}`)
	requireCode(t, err, ipc.CodeInvalidInput, ipc.Done)
}
