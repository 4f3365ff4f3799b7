package ipc_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// startEcho returns the host of a module that answers with what it gets, over a socket.
func startEcho(t *testing.T) *conn {
	near, far := unixSockets(t)
	host := start(t, near, nil)
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
	host := startEcho(t)
	dice := rand.New(rand.NewPCG(1, 1))
	kept := map[uint64][]byte{} // by what stands in it everywhere
	for n := range uint64(200) {
		p := make([]byte, 8*(1000+dice.IntN(64_000)))
		for i := 0; i < len(p); i += 8 {
			binary.LittleEndian.PutUint64(p[i:], n)
		}
		data, err := host.Handle(t.Context(), ipc.Message{Topic: "a.b", Payload: ipc.EncodePayload(p)}, ipc.Context{}, nil)
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

func TestMemoryIsUsedAgainUpToABound(t *testing.T) {
	const size, most = 1 << 20, 32 // blocks that are used again
	for _, c := range []struct{ held, least, most int }{{8, 1, 8}, {most + 8, 1, most}} {
		var m ipc.Memory
		take := func() (used int) { // memory that has been used is not cleared
			held := make([][]byte, c.held)
			for i := range held {
				held[i] = m.Get(size)
				if held[i][0] != 0 {
					used++
				}
				held[i][0] = 1
			}
			return used
		}
		require.Zero(t, take())
		used := 0
		for n := 0; used == 0 && n < 20; n++ { // a pool may forget what it has
			collect()
			used = take()
		}
		require.GreaterOrEqual(t, used, c.least)
		require.LessOrEqual(t, used, c.most)
	}
}
