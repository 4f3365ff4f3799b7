package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

func TestBadOptionsAreRefusedWithARemedy(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "odd")
	require.NoError(t, os.WriteFile(odd, []byte("odd\n"), 0o600))
	tests := map[string]struct {
		options host.Options
		remedy  string
	}{
		"scheme":                  {host.Options{URL: "http://nats.local"}, "nats://host:4222"},
		"no host":                 {host.Options{URL: "nats://"}, "nats://host:4222"},
		"port":                    {host.Options{URL: "nats://a:70000"}, "nats://host:4222"},
		"second of two":           {host.Options{URL: "nats://a:4222,:::"}, "nats://host:4222"},
		"credentials missing":     {host.Options{URL: "nats://a", Credentials: filepath.Join(dir, "none")}, "nsc generate creds"},
		"credentials odd":         {host.Options{URL: "nats://a", Credentials: odd}, "nsc generate creds"},
		"nkey odd":                {host.Options{URL: "nats://a", NKey: odd}, "nk -gen user"},
		"both":                    {host.Options{URL: "nats://a", Credentials: odd, NKey: odd}, "leave one of them out"},
		"CA odd":                  {host.Options{URL: "tls://a", CA: odd}, "PEM"},
		"certificate without key": {host.Options{URL: "tls://a", Cert: odd}, "name both"},
		"credentials, no URL":     {host.Options{Credentials: odd}, "URL"},
		"listen and URL":          {host.Options{URL: "nats://a", Listen: "127.0.0.1:4222"}, "leave one of them out"},
		"listen":                  {host.Options{Listen: "4222"}, "127.0.0.1:4222"},
		"sync":                    {host.Options{KVSync: "sometimes"}, `"interval"`},
		"sync of a bucket":        {host.Options{KVBuckets: map[string]string{"a": "sometimes"}}, `"interval"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := host.New(&test.options)
			e := requireCode(t, err, ipc.CodeConfigInvalid)
			require.Contains(t, e.Message, test.remedy)
		})
	}
	_, err := host.New(&host.Options{URL: "nats://user:secret@a:x"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
}

// What uses no service does not pay for the engine.
func TestEmbeddedEngineIsOpenedByItsFirstUse(t *testing.T) {
	r := newRig(t)
	r.add("plc", publishes)
	r.start()
	require.Zero(t, r.count("plc"))
	store := filepath.Join(r.state, "engine")
	require.NoDirExists(t, store)
	r.publish("plc", "plc.a", "1")
	err := filepath.Walk(store, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			require.Zero(t, info.Mode().Perm()&0o077, "%s is open to others: %s", path, info.Mode())
		}
		return err
	})
	require.NoError(t, err)
}

func TestListeningEngineCanBeReached(t *testing.T) {
	r := newRig(t)
	r.add("report", subscribes)
	r.options.Listen = "127.0.0.1:0"
	r.start()
	_, addr, _ := strings.Cut(r.await("the engine listens at").Text, "listens at ")
	outside, err := nats.Connect("nats://" + addr)
	require.NoError(t, err)
	defer outside.Close()
	r.subscribe("report", ipc.Subscription{Pattern: "plc.a"})
	require.NoError(t, outside.Publish("ixt.ev.plc.a", []byte("from outside")))
	e := r.next("report")
	require.Equal(t, "from outside", e.Text)
	require.NotZero(t, e.Context.Timestamp)
}

func TestEngineThatCannotBeOpenedEndsRun(t *testing.T) {
	first := newRig(t)
	first.add("plc", publishes)
	first.options.Listen = "127.0.0.1:0"
	first.start()
	_, addr, _ := strings.Cut(first.await("the engine listens at").Text, "listens at ")
	h, err := host.New(&host.Options{Listen: addr})
	require.NoError(t, err)
	s, err := supervisor.New(&supervisor.Options{Dirs: []string{first.dir}, Engine: h})
	require.NoError(t, err)
	require.ErrorContains(t, s.Run(first.ctx), "does another program listen at "+addr)
}

func TestEngineComesBackByItself(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	server.stop()
	r := newRig(t)
	r.options.URL = server.url()
	r.add("plc", publishes)
	r.add("report", subscribes)
	r.start()
	require.Contains(t, r.await("the NATS server at "+server.url()+" cannot be reached").Text, "connection refused: is it running")
	require.Zero(t, r.count("plc")) // it has started, which takes as long as it takes
	began := time.Now()
	requireCode(t, r.tryPublish("plc", "plc.a", "0"), ipc.CodeUnavailable)
	require.Less(t, time.Since(began), 2*time.Second, "the answer comes at once")
	// Who subscribes, as modules do in Init, need not wait for the server, nor fail because it is late.
	r.subscribe("report", ipc.Subscription{Pattern: "plc.a"})
	r.subscribe("report", ipc.Subscription{Pattern: "plc.b", Durable: "stock"})
	server.start()
	r.await("can be reached: events, kv and blob are back")
	js := outside(t, server.url())
	require.Eventually(t, func() bool {
		_, err := js.Consumer(r.ctx, "ixt_events", "report=stock=001")
		return err == nil
	}, patience, 10*time.Millisecond, "the durable one soon stands, too")
	r.publish("plc", "plc.a", "1")
	require.Equal(t, "1", r.next("report").Text)
	r.publish("plc", "plc.b", "2")
	require.Equal(t, "2", r.next("report").Text)

	seen := r.Journal().Seq()
	server.stop()
	r.awaitAfter(seen, "cannot be reached")
	requireCode(t, r.tryPublish("plc", "plc.a", "lost"), ipc.CodeUnavailable)
	seen = r.Journal().Seq()
	server.start()
	r.awaitAfter(seen, "are back")
	r.publish("plc", "plc.a", "3")
	require.Equal(t, "3", r.next("report").Text, "subscriptions are there again")
	r.publish("plc", "plc.b", "4")
	e := r.next("report")
	if e.Text == "2" { // whose acknowledgement was on its way when the server went
		e = r.next("report")
	}
	require.Equal(t, "4", e.Text)
}

// A server that has lost everything gets what is needed again.
func TestEngineMayForget(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	r := newRig(t)
	r.options.URL = server.url()
	r.add("plc", publishes)
	r.add("report", subscribes)
	r.start()
	r.subscribe("report", ipc.Subscription{Pattern: "plc.b", Durable: "stock"})
	seen := r.Journal().Seq()
	server.stop()
	r.awaitAfter(seen, "cannot be reached")
	require.NoError(t, os.RemoveAll(server.store))
	seen = r.Journal().Seq()
	server.start()
	r.awaitAfter(seen, "are back")
	got := make(chan string, 1)
	go func() { // what is published before the subscription is there again has nobody who waits for it
		data, _ := r.call("report", "next", nil)
		got <- string(data)
	}()
	for n := 0; ; n++ {
		r.publish("plc", "plc.b", fmt.Sprint(n))
		select {
		case text := <-got:
			require.Contains(t, text, "stock:plc.b")
			return
		default:
		}
	}
}

// What no engine keeps, because its JetStream is off, is no mystery.
func TestServerThatKeepsNothing(t *testing.T) {
	t.Parallel()
	server := newServer(t, "-js=false")
	r := newRig(t)
	r.options.URL = server.url()
	r.add("plc", publishes)
	r.start()
	require.Contains(t, r.await("keeps nothing").Text, "nats-server -js")
	e := requireCode(t, r.tryPublish("plc", "plc.a", "1"), ipc.CodeUnavailable)
	require.Contains(t, e.Message, "nats-server -js")
}
