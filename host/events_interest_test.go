package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// lastStored is the number of events that were ever sent to the stream, with those that nobody turned out to wait for.
func lastStored(r *rig, url string) uint64 {
	conn, err := nats.Connect(url)
	require.NoError(r.t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(r.t, err)
	stream, err := js.Stream(r.ctx, "ixt_events")
	require.NoError(r.t, err)
	return stream.CachedInfo().State.LastSeq
}

// reachable starts a rig whose engine can be asked from outside, and returns where.
func reachable(r *rig) (url string) {
	if r.options.URL == "" {
		r.options.Listen = "127.0.0.1:0"
	}
	r.start()
	if r.options.URL != "" {
		return r.options.URL
	}
	_, addr, _ := strings.Cut(r.await("the engine listens at").Text, "listens at ")
	return "nats://" + addr
}

func TestOnlyWhatADurableSubscriptionWaitsForIsStored(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("plc", publishes)
		r.add("report", subscribes)
		r.add("other", subscribes)
		url := reachable(r)
		r.subscribe("other", ipc.Subscription{Pattern: "plc.>"})
		stock := r.subscribe("report", ipc.Subscription{Pattern: "plc.*.temp", Durable: "stock"})
		all := r.subscribe("report", ipc.Subscription{Pattern: "plc.>", Durable: "all"})
		unsubscribe := func(name string) {
			_, err := r.ask("report", ipc.ServiceEvents, ipc.MethodUnsubscribe, ipc.Subscribed{Subscription: name})
			require.NoError(t, err)
		}
		r.publish("plc", "plc.n", "1")
		require.Equal(t, uint64(1), lastStored(r, url), "all wait for it")
		unsubscribe(all)
		r.publish("plc", "plc.n", "2")
		require.Equal(t, uint64(1), lastStored(r, url), "nobody waits for it")
		r.publish("plc", "plc.l7.temp", "3")
		require.Equal(t, uint64(2), lastStored(r, url), "stock waits for it")
		r.publish("plc", "plc.l7.state", "4")
		require.Equal(t, uint64(2), lastStored(r, url))
		unsubscribe(stock)
		r.publish("plc", "plc.l7.temp", "5")
		require.Equal(t, uint64(2), lastStored(r, url), "stock is gone")
		r.subscribe("report", ipc.Subscription{Pattern: "plc.*.temp", Durable: "stock"})
		r.publish("plc", "plc.l7.temp", "6")
		require.Equal(t, uint64(3), lastStored(r, url), "and is back")
		require.Equal(t, []string{"1", "2", "3", "4", "5", "6"}, r.texts("other", 6), "each once and in order, stored or not")
	})
}

// A new version's pattern takes the place of the old one's.
func TestChangedDurableSubscriptionGetsWhatItAskedFor(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("plc", publishes)
		r.add("report", subscribes)
		url := reachable(r)
		r.subscribe("report", ipc.Subscription{Pattern: "plc.a", Durable: "stock"})
		r.publish("plc", "plc.a", "1")
		require.Equal(t, "1", r.next("report").Text)
		require.NoError(t, r.Stop(r.ctx, "report"))
		require.NoError(t, r.Start("report"))
		r.subscribe("report", ipc.Subscription{Pattern: "plc.b", Durable: "stock"})
		r.publish("plc", "plc.a", "2")
		r.publish("plc", "plc.b", "3")
		require.Equal(t, "3", r.next("report").Text)
		require.Equal(t, uint64(2), lastStored(r, url))
	})
}

// What is published after the answer to subscribe is stored, whoever publishes it where.
func TestNewDurableSubscriptionMissesNothing(t *testing.T) {
	t.Run("one host", func(t *testing.T) {
		withEngines(t, func(t *testing.T, r *rig) {
			r.add("plc", publishes)
			r.add("report", subscribes)
			r.start()
			missesNothing(t, r, r)
		})
	})
	t.Run("two hosts", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		from, to := newRig(t), newRig(t)
		from.add("plc", publishes)
		to.add("report", subscribes)
		for node, r := range map[string]*rig{"a": from, "b": to} {
			r.options.URL, r.options.Node = s.url(), node
			r.start()
		}
		missesNothing(t, from, to)
	})
}

func missesNothing(t *testing.T, from, to *rig) {
	var begun atomic.Int64 // the number being published
	ctx, cancel := context.WithCancel(from.ctx)
	var failed error
	published := make(chan struct{})
	go func() {
		defer close(published)
		for n := int64(1); failed == nil; n++ {
			begun.Store(n)
			params, _ := json.Marshal(ipc.Publication{Topic: "plc.n", Payload: ipc.EncodePayload(fmt.Append(nil, n))})
			body, _ := json.Marshal(request{Service: ipc.ServiceEvents, Method: ipc.MethodPublish, Params: params})
			data, err := from.callWithin(ctx, "plc", "do", body)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				failed = err
			case string(data) != `{"data":{}}`:
				failed = fmt.Errorf("event %d: %s", n, data)
			}
		}
	}()
	for round := range 20 {
		name := to.subscribe("report", ipc.Subscription{Pattern: "plc.n", Durable: fmt.Sprint("stock", round)})
		at := begun.Load()
		for next := int64(0); next <= at+5; {
			e := to.next("report")
			if e.Subscription != name {
				continue // the rest of the round before
			}
			n, err := strconv.ParseInt(e.Text, 10, 64)
			require.NoError(t, err)
			if next == 0 {
				require.LessOrEqual(t, n, at+1, "%d was published after the answer", at+1)
			} else {
				require.Equal(t, next, n)
			}
			next = n + 1
		}
		_, err := to.ask("report", ipc.ServiceEvents, ipc.MethodUnsubscribe, ipc.Subscribed{Subscription: name})
		require.NoError(t, err)
	}
	cancel()
	<-published
	require.NoError(t, failed)
}

// Whoever is cut off from the server before its answer cannot know whether it has the event.
func TestPublishThatIsCutOffIsUnsure(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := newRig(t)
	r.options.URL = "nats://" + newRelay(t, s.addr, "ixt.ev.plc.cut ")
	r.add("plc", publishes)
	r.start()
	r.publish("plc", "plc.a", "1")
	var e *ipc.Error
	require.ErrorAs(t, r.tryPublish("plc", "plc.cut", "2"), &e)
	require.Equal(t, ipc.CodeTimeout, e.Code)
	require.Equal(t, ipc.Unknown, e.Outcome)
	r.await("are back")
	r.publish("plc", "plc.a", "3")
}

// newRelay passes connections on to addr, and cuts each on which the client says the word.
func newRelay(t *testing.T, addr, word string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	pass := func(to, from net.Conn, word string) {
		defer to.Close()
		defer from.Close()
		for buffer := make([]byte, 64<<10); ; {
			n, err := from.Read(buffer)
			if err != nil || (word != "" && bytes.Contains(buffer[:n], []byte(word))) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", addr)
			if err != nil {
				_ = client.Close()
				continue
			}
			running.Go(func() { pass(server, client, word) })
			running.Go(func() { pass(client, server, "") })
		}
	})
	return listener.Addr().String()
}
