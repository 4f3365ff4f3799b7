package host_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// What waits for whoever is away is bounded, and the oldest goes first: docs/cluster.md, "A node that is away".
func TestWhatWaitsForWhoIsAwayIsBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := newRig(t)
	r.options.URL = s.url()
	r.add("plc", publishes)
	r.add("report", subscribes)
	r.start()
	p := ipc.Subscription{Pattern: "plc.n", Durable: "stock"}
	r.subscribe("report", p)

	conn, err := nats.Connect(s.url())
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	stream, err := js.Stream(r.ctx, "ixt_events")
	require.NoError(t, err)
	config := stream.CachedInfo().Config
	require.EqualValues(t, 256<<20, config.MaxBytes)
	require.Equal(t, 7*24*time.Hour, config.MaxAge)
	require.Equal(t, jetstream.DiscardOld, config.Discard)
	const bound = 1 << 20 // what the server's administrator says holds, and fills faster
	config.MaxBytes = bound
	_, err = js.UpdateStream(r.ctx, config)
	require.NoError(t, err)

	require.NoError(t, r.Stop(r.ctx, "report"))
	const many, size = 40, 64 << 10
	for n := 1; n <= many; n++ {
		r.publish("plc", "plc.n", fmt.Sprintf("%02d%s", n, strings.Repeat(".", size-2)))
	}
	info, err := stream.Info(r.ctx)
	require.NoError(t, err)
	require.LessOrEqual(t, info.State.Bytes, uint64(bound))
	kept := int(info.State.Msgs)
	require.Greater(t, kept, bound/size/2)
	require.Less(t, kept, bound/size+1)

	require.NoError(t, r.Start("report"))
	r.subscribe("report", p)
	for n := many - kept + 1; n <= many; n++ {
		require.Equal(t, fmt.Sprintf("%02d", n), r.next("report").Text[:2], "the newest %d, in order", kept)
	}
	r.publish("plc", "plc.n", "new")
	require.Equal(t, "new", r.next("report").Text)
	info, err = stream.Info(r.ctx)
	require.NoError(t, err)
	require.LessOrEqual(t, info.State.Msgs, uint64(1), "what is handled is kept no longer")
}
