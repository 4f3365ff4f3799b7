package ipc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// startEcho returns the host of a module that answers with what it gets, over a socket.
func startEcho(t *testing.T, opts *ipc.Options) *conn {
	near, far := unixSockets(t)
	host := start(t, near, opts)
	module := start(t, far, &ipc.Options{Handler: func(_ context.Context, req *ipc.Envelope) (ipc.Data, error) {
		p, err := req.Message.Payload.Decode()
		return ipc.PayloadData(p), err
	}})
	for _, c := range []*conn{host, module} {
		c.Enable([]string{ipc.ExtCancel, ipc.ExtRaw}, 0)
	}
	return host
}

// Memory of payloads is used again; those that anybody still has, or a part of, stay as they are.
func TestPayloadsStayAsTheyAreAsLongAsAnybodyHasThem(t *testing.T) {
	host := startEcho(t, nil)
	dice := rand.New(rand.NewPCG(1, 1))
	kept := map[uint64][]byte{} // by what stands in it everywhere
	for n := range uint64(200) {
		p := make([]byte, 8*(1000+dice.IntN(64_000)))
		for i := 0; i < len(p); i += 8 {
			binary.LittleEndian.PutUint64(p[i:], n)
		}
		data, err := host.Handle(t.Context(), &ipc.Message{Topic: "a.b", Payload: ipc.EncodePayload(p)}, nil, nil)
		require.NoError(t, err)
		back, ok := data.Payload()
		require.True(t, ok)
		require.Equal(t, p, back)
		if n%7 == 0 {
			kept[n] = back[len(back)-64:]
		}
		if n%20 == 0 {
			runtime.GC()
		}
	}
	for n, part := range kept {
		for i := 0; i < len(part); i += 8 {
			require.Equal(t, n, binary.LittleEndian.Uint64(part[i:]))
		}
	}
}

// collect lets the garbage collector find what nobody knows any more, and waits for finalizers to have run.
func collect() {
	ran := make(chan struct{})
	runtime.SetFinalizer(&struct{ at *chan struct{} }{&ran}, func(last *struct{ at *chan struct{} }) { close(*last.at) })
	runtime.GC()
	<-ran
}

// dirty takes blocks, returns how many of them have been used before, and uses them: such memory is not cleared.
func dirty(m *ipc.Memory, blocks, size int) (used int) {
	held := make([][]byte, blocks)
	for i := range held {
		held[i] = m.Get(size)
		if held[i][0] != 0 {
			used++
		}
		held[i][0] = 1
	}
	return used
}

// awaitDirty is dirty when there is something used; a pool may forget what it has.
func awaitDirty(m *ipc.Memory, blocks, size int) (used int) {
	for n := 0; used == 0 && n < 20; n++ {
		collect()
		used = dirty(m, blocks, size)
	}
	return used
}

func TestMemoryIsUsedAgainUpToABound(t *testing.T) {
	const size, most = 1 << 20, 32
	for _, blocks := range []int{8, most + 8} {
		m := new(ipc.Memory)
		require.Zero(t, dirty(m, blocks, size))
		used := awaitDirty(m, blocks, size)
		require.Positive(t, used)
		require.LessOrEqual(t, used, most)
	}
}

func TestManyTakeMemoryUpToTheBound(t *testing.T) {
	m := new(ipc.Memory)
	held := make([][]byte, 64)
	var taken sync.WaitGroup
	for i := range held {
		taken.Go(func() { held[i] = m.Get(1 << 20) })
	}
	taken.Wait()
	require.LessOrEqual(t, m.Used(), int64(32<<20))
	runtime.KeepAlive(held)
}

func TestConnectionsReceiveIntoTheirMemory(t *testing.T) {
	const size = 1 << 20
	m := new(ipc.Memory)
	host := startEcho(t, &ipc.Options{Memory: m})
	p := bytes.Repeat([]byte{1}, size)
	for range 4 {
		_, err := host.Handle(t.Context(), &ipc.Message{Topic: "a.b", Payload: ipc.EncodePayload(p)}, nil, nil)
		require.NoError(t, err)
	}
	require.Positive(t, m.Used())
	require.Positive(t, awaitDirty(m, 4, size))
}

// What a caller got, and the Watch it gave, are kept by nobody else.
func TestAnAnsweredCallKeepsNothing(t *testing.T) {
	host := startEcho(t, nil)
	freed := make(chan struct{})
	func() {
		w := &watch{settled: func(ipc.Settlement) {}}
		runtime.AddCleanup(w, func(freed chan struct{}) { close(freed) }, freed)
		_, err := host.Handle(t.Context(), &ipc.Message{Topic: "a.b"}, nil, w)
		require.NoError(t, err)
	}()
	runtime.GC()
	select {
	case <-freed:
	case <-time.After(10 * time.Second):
		require.Fail(t, "the Watch is known to somebody")
	}
}
