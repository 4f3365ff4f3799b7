package host_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

func (r *rig) watch(who string, p ipc.KVParams) string {
	s, err := kv[ipc.Subscribed](r, who, ipc.MethodWatch, p)
	require.NoError(r.t, err)
	return s.Subscription
}

// changes are a puppet's next n events, in short.
func (r *rig) changes(who string, n int) (out []string) {
	for range n {
		e := r.next(who)
		out = append(out, fmt.Sprintf("%d %s %s=%s lost %d", e.Seq, e.Op, e.Topic, e.Text, e.Lost))
	}
	return out
}

func TestKVWatch(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("a", "")
		r.start()
		r.set("a", ipc.KVParams{Key: "l.1", Payload: text("one")})
		r.set("a", ipc.KVParams{Key: "other", Payload: text("not seen")})
		r.set("a", ipc.KVParams{Key: "l.2", Payload: text("two")})
		r.set("a", ipc.KVParams{Key: "l.gone"})
		_, err := kv[struct{}](r, "a", ipc.MethodDelete, ipc.KVParams{Key: "l.gone"})
		require.NoError(t, err)

		name := r.watch("a", ipc.KVParams{Pattern: "l.>"})
		require.Equal(t, "kv:a:l.>", name)
		require.Equal(t, name, r.watch("a", ipc.KVParams{Bucket: "a", Pattern: "l.>"}), "is the same")
		require.Equal(t, []string{"1 set l.1=one lost 0", "2 set l.2=two lost 0"}, r.changes("a", 2))

		revision := r.set("a", ipc.KVParams{Key: "l.1", Payload: text("uno")})
		e := r.next("a")
		require.Equal(t, name, e.Subscription)
		require.Equal(t, revision, e.Revision)
		require.Equal(t, "uno", e.Text)
		_, err = kv[struct{}](r, "a", ipc.MethodDelete, ipc.KVParams{Key: "l.2"})
		require.NoError(t, err)
		require.Equal(t, []string{"4 delete l.2= lost 0"}, r.changes("a", 1))

		_, err = r.ask("a", ipc.ServiceKV, ipc.MethodUnwatch, ipc.Subscribed{Subscription: name})
		require.NoError(t, err)
		_, err = r.ask("a", ipc.ServiceKV, ipc.MethodUnwatch, ipc.Subscribed{Subscription: name})
		requireCode(t, err, ipc.CodeNotFound)
		r.set("a", ipc.KVParams{Key: "l.1", Payload: text("unseen")})
		r.watch("a", ipc.KVParams{Pattern: "other"})
		require.Equal(t, []string{"1 set other=not seen lost 0"}, r.changes("a", 1))
	})
}

// A key lives as long as it was set to, in whole seconds; a set without a limit lifts it, and who watches sees it go.
func TestKVExpiry(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("a", "")
		r.start()
		stays := r.set("a", ipc.KVParams{Key: "lifted", Payload: text("1"), TTLMS: 1000})
		stays = r.set("a", ipc.KVParams{Key: "lifted", Payload: text("2"), Revision: &stays})
		began := time.Now()
		short := r.set("a", ipc.KVParams{Key: "short", Payload: text("1"), TTLMS: 900, Revision: ref(uint64(0))})
		short = r.set("a", ipc.KVParams{Key: "short", Payload: text("2"), TTLMS: 1001, Revision: &short})
		r.watch("a", ipc.KVParams{})
		require.Equal(t, []string{"1 set lifted=2 lost 0", "2 set short=2 lost 0", "3 delete short= lost 0"}, r.changes("a", 3))
		require.GreaterOrEqual(t, time.Since(began), 1001*time.Millisecond)
		_, err := kv[ipc.KVEntry](r, "a", ipc.MethodGet, ipc.KVParams{Key: "short"})
		requireCode(t, err, ipc.CodeNotFound)
		_, err = kv[ipc.KVWritten](r, "a", ipc.MethodSet, ipc.KVParams{Key: "short", Revision: &short})
		requireRevision(t, err, 0)
		e, err := kv[ipc.KVEntry](r, "a", ipc.MethodGet, ipc.KVParams{Key: "lifted"})
		require.NoError(t, err)
		require.Equal(t, stays, e.Revision)
		r.set("a", ipc.KVParams{Key: "short", Payload: text("3"), Revision: ref(uint64(0))})
		require.Equal(t, []string{"4 set short=3 lost 0"}, r.changes("a", 1))
	})
}

// Who is slow misses changes, never the last one of a key, and is told how many.
func TestKVSlowWatcher(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("a", "")
		r.add("b", `[requires]
kv = ["a"]`)
		r.start()
		r.mode("b", "hold")
		r.watch("b", ipc.KVParams{Bucket: "a", Buffer: 2})
		r.set("a", ipc.KVParams{Key: "first"})
		require.Equal(t, []string{"1 set first= lost 0"}, r.changes("b", 1)) // which it holds
		r.watch("a", ipc.KVParams{Buffer: 1024})
		r.changes("a", 1)
		const rounds = 20
		for n := range rounds {
			for _, key := range []string{"x", "y"} {
				r.set("a", ipc.KVParams{Key: key, Payload: text(fmt.Sprint(n))})
				r.changes("a", 1) // the other watcher is not held up
			}
		}
		r.mode("b", "")
		seen, lost := map[string]string{}, uint64(0)
		for n := 0; n < 2*rounds; {
			e := r.next("b")
			seen[e.Topic] = e.Text
			n += 1 + int(e.Lost)
			lost += e.Lost
		}
		require.NotZero(t, lost)
		require.Equal(t, map[string]string{"x": "19", "y": "19"}, seen)
	})
}

// More keys than the buffer holds all get through, however slow the watcher is: the store keeps what the buffer cannot.
func TestKVManyKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add("a", "")
	r.options.KVSync = "interval"
	r.start()
	const keys = 600
	want := map[string]string{}
	for n := range keys {
		key := fmt.Sprintf("k.%d", n)
		r.set("a", ipc.KVParams{Key: key, Payload: text("old")})
		want[key] = "old"
	}
	r.mode("a", "hold")
	r.watch("a", ipc.KVParams{Buffer: 3})
	seen := map[string]string{}
	e := r.next("a")
	seen[e.Topic] = e.Text
	for n := 590; n < keys; n++ {
		key := fmt.Sprintf("k.%d", n)
		r.set("a", ipc.KVParams{Key: key, Payload: text("new")})
		want[key] = "new"
	}
	r.mode("a", "")
	for seen["k.599"] != "new" {
		e := r.next("a")
		seen[e.Topic] = e.Text
	}
	require.Equal(t, want, seen)
}

// A new process knows nothing: its watches begin with the present values, whether it asks again or not.
func TestKVWatchRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add("a", "")
	r.add("b", `[requires]
kv = ["a"]`)
	r.start()
	r.set("a", ipc.KVParams{Key: "k", Payload: text("1")})
	r.watch("b", ipc.KVParams{Bucket: "a"})
	require.Equal(t, []string{"1 set k=1 lost 0"}, r.changes("b", 1))
	r.mode("b", "crash")
	r.set("a", ipc.KVParams{Key: "k", Payload: text("2")})
	r.await("watch restored")
	require.Equal(t, []string{"1 set k=2 lost 0"}, r.changes("b", 1))
}

// A handler that fails has handled the change.
func TestKVFailingHandler(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add("a", "")
	r.start()
	r.mode("a", "fail bad")
	r.watch("a", ipc.KVParams{})
	r.set("a", ipc.KVParams{Key: "k", Payload: text("bad")})
	r.set("a", ipc.KVParams{Key: "l", Payload: text("good")})
	require.Equal(t, []string{"1 set k=bad lost 0", "2 set l=good lost 0"}, r.changes("a", 2))
	r.await("handling a change of k failed: SOUR")
}
