package host_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// outsider asks as somebody outside does, without the way through a module, which is slow with much.
func outsider[R any](r *rig, service, method string, p any) (result R, err error) {
	g := r.Guest(nil)
	defer g.Close()
	params, err := ipc.Pack(p)
	require.NoError(r.t, err)
	data, err := g.Ask(r.ctx, service, method, params)
	if err == nil {
		require.NoError(r.t, data.Unpack(&result))
	}
	return result, err
}

func (r *rig) setLarge(key string, size int, ttl int64) error {
	p := ipc.KVParams{Bucket: "a", Key: key, Payload: ipc.EncodePayload(make([]byte, size)), TTLMS: ttl}
	_, err := outsider[ipc.KVWritten](r, ipc.ServiceKV, ipc.MethodSet, p)
	return err
}

func (r *rig) requireLarge(key string, size int) {
	e, err := outsider[ipc.KVEntry](r, ipc.ServiceKV, ipc.MethodGet, ipc.KVParams{Bucket: "a", Key: key})
	require.NoError(r.t, err)
	value, err := e.Payload.Decode()
	require.NoError(r.t, err)
	require.True(r.t, bytes.Equal(value, make([]byte, size)))
}

func (r *rig) publishLarge(topic string, size int) error {
	_, err := outsider[struct{}](r, ipc.ServiceEvents, ipc.MethodPublish, ipc.Publication{Topic: topic, Payload: text(strings.Repeat("x", size))})
	return err
}

// echoed calls work.mode of node b with so many bytes, and wants them back. A machine that stands still for seconds, busy with other
// tests, loses sight of the node meanwhile, and what that had.
func (r *rig) echoed(size int) error {
	m := supervisor.Message{Topic: "work.mode", Payload: make([]byte, size)}
	answer, err := r.Call(r.ctx, m)
	for ipc.IsCode(err, ipc.CodeModuleGone) && r.ctx.Err() == nil {
		r.sees("b", "work.mode")
		answer, err = r.Call(r.ctx, m)
	}
	if err == nil {
		payload, is := answer.Payload()
		require.True(r.t, is)
		require.Len(r.t, payload, size)
	}
	return err
}

// What the services and calls allow, the engine that is part of ixt takes.
func TestLargestWithOwnEngine(t *testing.T) {
	t.Parallel()
	b := newRig(t)
	b.options.Listen, b.options.Node = "127.0.0.1:0", "b"
	b.witness("work", exportAll)
	b.add("a", publishes)
	b.add("report", subscribes)
	b.start()
	_, addr, _ := strings.Cut(b.await("the engine listens at").Text, "listens at ")
	a := newRig(t)
	a.options.URL, a.options.Node = "nats://"+addr, "a"
	a.add("report", subscribes)
	a.start()
	a.sees("b", "work.mode")
	require.NoError(t, a.echoed(ipc.MaxChunk))

	require.NoError(t, b.setLarge(strings.Repeat("k", 512), ipc.MaxChunk, 60_000))
	b.requireLarge(strings.Repeat("k", 512), ipc.MaxChunk)

	b.subscribe("report", ipc.Subscription{Pattern: "plc.>", Durable: "stock"})
	a.subscribe("report", ipc.Subscription{Pattern: "plc.>"})
	require.NoError(t, b.publishLarge("plc.a", ipc.MaxChunk))
	require.Len(t, a.next("report").Text, ipc.MaxChunk)
	require.Len(t, b.next("report").Text, ipc.MaxChunk)
}

// A server of the user's may take less; then it is said how much, and nothing has happened.
func TestLargestWithServer(t *testing.T) {
	t.Parallel()
	s := newServer(t) // with its own max_payload, 1 MiB
	a, b := newNode(t, s, "a"), newNode(t, s, "b")
	a.add("a", publishes)
	a.add("report", subscribes)
	b.witness("work", exportAll)
	a.start()
	b.start()
	tooLarge := func(err error) {
		require.Contains(t, requireCode(t, err, ipc.CodeTooLarge).Message, "more than the 1048576 bytes that the NATS server takes, its max_payload")
	}
	const headers = 1 << 10
	require.NoError(t, a.setLarge("k", ipc.MaxChunk-headers, 60_000))
	require.NoError(t, a.setLarge("whole", ipc.MaxChunk, 0), "there are no headers")
	tooLarge(a.setLarge("k", ipc.MaxChunk, 60_000))
	a.requireLarge("k", ipc.MaxChunk-headers)

	a.sees("b", "work.mode")
	tooLarge(a.echoed(ipc.MaxChunk))
	require.NoError(t, a.echoed(ipc.MaxChunk-headers))

	a.subscribe("report", ipc.Subscription{Pattern: "plc.>"})
	tooLarge(a.publishLarge("plc.a", ipc.MaxChunk))
	a.subscribe("report", ipc.Subscription{Pattern: "plc.>", Durable: "stock"})
	tooLarge(a.publishLarge("plc.a", ipc.MaxChunk))
	a.publish("a", "plc.a", "small")
	require.Equal(t, []string{"small", "small"}, a.texts("report", 2), "the large ones came to nobody")
}
