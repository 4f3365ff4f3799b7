package tests

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

func TestOverloadIsAnsweredAndTakesNoMemory(t *testing.T) {
	f := newFleet(t)
	f.add("narrow", "serial", []string{"narrow.gate", "narrow.say"}, "[services.\"narrow.say\"]\nqueue = 8\n")
	f.start()
	f.awaitState("narrow", supervisor.Ready)
	g := newGate(t)
	first := f.later("narrow.gate", g.path)
	a := g.arrival()
	payload := make([]byte, 64<<10)
	var queued []<-chan error
	for range 8 {
		queued = append(queued, f.later("narrow.say", string(payload)))
	}
	require.Eventually(t, func() bool { return f.topic("narrow.say").Queued == 8 }, patience, time.Millisecond)
	before := heap()
	for range 400 { // fifty times what may wait, 25 MiB
		_, err := f.Call(f.ctx, supervisor.Message{Topic: "narrow.say", Payload: payload})
		require.Positive(t, requireCode(t, err, ipc.CodeBusy, ipc.NotDelivered).RetryAfter)
	}
	require.Less(t, heap(), before+4<<20)
	require.EqualValues(t, 400, f.topic("narrow.say").Rejected)
	a.pass()
	require.NoError(t, <-first)
	for _, call := range queued {
		require.NoError(t, <-call)
	}
}

func TestExpiredCallsAreNotWritten(t *testing.T) {
	f := newFleet(t)
	f.add("narrow", "serial", []string{"narrow.gate", "narrow.count"}, "")
	f.start()
	f.awaitState("narrow", supervisor.Ready)
	g := newGate(t)
	first := f.later("narrow.gate", g.path)
	a := g.arrival()
	for range 10 {
		_, err := f.Call(f.ctx, supervisor.Message{Topic: "narrow.count", TTL: time.Millisecond})
		requireCode(t, err, ipc.CodeTTLExpired, ipc.NotDelivered)
	}
	a.pass()
	require.NoError(t, <-first)
	n, err := f.say("narrow.count", "")
	require.NoError(t, err)
	require.Equal(t, "2", n, "the module has seen the call at the gate and this one")
	require.EqualValues(t, 10, f.topic("narrow.count").Codes[ipc.CodeTTLExpired])
}

// TestFlappingModuleDelaysNobody lets one module die as fast as it can while another one is called.
func TestFlappingModuleDelaysNobody(t *testing.T) {
	f := newFleet(t)
	f.add("flap", "exit flap", []string{"flap.say"}, "[restart]\ninitial = \"1ms\"\nmax = \"1ms\"\ngive_up = 100000\n")
	f.add("echo", "polite", []string{"echo.say"}, "")
	f.start()
	var last uint64
	for range 20 {
		last = f.awaitAfter(last, "a death of flap", func(e supervisor.Entry) bool { return e.Kind == supervisor.KindExit && e.Module == "flap" }).Seq
		_, err := f.Call(f.ctx, supervisor.Message{Topic: "echo.say", TTL: 5 * time.Second})
		require.NoError(t, err)
	}
	m, err := f.Module("echo")
	require.NoError(t, err)
	require.Zero(t, m.Instances[0].Restarts)
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
