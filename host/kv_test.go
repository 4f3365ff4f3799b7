package host_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// kv asks kv and decodes the result into an R.
func kv[R any](r *rig, who, method string, p ipc.KVParams) (result R, err error) {
	return asked[R](r, who, ipc.ServiceKV, method, p)
}

func asked[R any](r *rig, who, service, method string, p any) (result R, err error) {
	data, err := r.ask(who, service, method, p)
	if err == nil {
		require.NoError(r.t, json.Unmarshal(data, &result))
	}
	return result, err
}

// set must succeed.
func (r *rig) set(who string, p ipc.KVParams) uint64 {
	w, err := kv[ipc.KVWritten](r, who, ipc.MethodSet, p)
	require.NoError(r.t, err)
	return w.Revision
}

func text(s string) ipc.Payload { return ipc.PayloadText(ipc.EncodePayload([]byte(s)).Text()) }

func ref[T any](v T) *T { return &v }

// requireRevision checks that err is a CONFLICT that names the present revision.
func requireRevision(t *testing.T, err error, revision uint64) {
	t.Helper()
	e := requireCode(t, err, ipc.CodeConflict)
	require.JSONEq(t, fmt.Sprintf(`{"revision":%d}`, revision), string(e.Details))
}

func TestKVMethods(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("a", "")
		r.start()
		_, err := kv[ipc.KVEntry](r, "a", ipc.MethodGet, ipc.KVParams{Key: "k"})
		requireCode(t, err, ipc.CodeNotFound)

		first := r.set("a", ipc.KVParams{Key: "k", Payload: text("one")})
		e, err := kv[ipc.KVEntry](r, "a", ipc.MethodGet, ipc.KVParams{Key: "k"})
		require.NoError(t, err)
		require.Equal(t, text("one"), e.Payload)
		require.Equal(t, first, e.Revision)
		require.NotZero(t, e.TimeMS)

		_, err = kv[ipc.KVWritten](r, "a", ipc.MethodSet, ipc.KVParams{Key: "k", Payload: text("x"), Revision: ref(uint64(0))})
		requireRevision(t, err, first)
		second := r.set("a", ipc.KVParams{Key: "k", Revision: &first}) // an empty value is one
		_, err = kv[ipc.KVWritten](r, "a", ipc.MethodSet, ipc.KVParams{Key: "k", Payload: text("x"), Revision: &first})
		requireRevision(t, err, second)
		e, err = kv[ipc.KVEntry](r, "a", ipc.MethodGet, ipc.KVParams{Key: "k"})
		require.NoError(t, err)
		require.Empty(t, e.Payload)

		_, err = kv[struct{}](r, "a", ipc.MethodDelete, ipc.KVParams{Key: "k", Revision: &first})
		requireRevision(t, err, second)
		_, err = kv[struct{}](r, "a", ipc.MethodDelete, ipc.KVParams{Key: "k", Revision: &second})
		require.NoError(t, err)
		for range 2 { // also when there was none
			_, err = kv[struct{}](r, "a", ipc.MethodDelete, ipc.KVParams{Key: "k"})
			require.NoError(t, err)
		}
		_, err = kv[struct{}](r, "a", ipc.MethodDelete, ipc.KVParams{Key: "k", Revision: &second})
		requireRevision(t, err, 0)
		_, err = kv[ipc.KVWritten](r, "a", ipc.MethodSet, ipc.KVParams{Key: "k", Revision: &second})
		requireRevision(t, err, 0)
		_, err = kv[ipc.KVEntry](r, "a", ipc.MethodGet, ipc.KVParams{Key: "k"})
		requireCode(t, err, ipc.CodeNotFound)
		r.set("a", ipc.KVParams{Key: "k", Payload: text("again"), Revision: ref(uint64(0))})

		for _, key := range []string{"line.7", "line.8", "other/x=1"} {
			r.set("a", ipc.KVParams{Key: key})
		}
		_, err = kv[struct{}](r, "a", ipc.MethodDelete, ipc.KVParams{Key: "line.7"})
		require.NoError(t, err)
		for pattern, want := range map[string][]string{
			"": {"k", "line.8", "other/x=1"}, "line.*": {"line.8"}, "line.>": {"line.8"}, "*": {"k", "other/x=1"}, "nothing": {}, "k": {"k"},
		} {
			keys, err := kv[ipc.KVKeys](r, "a", ipc.MethodKeys, ipc.KVParams{Pattern: pattern})
			require.NoError(t, err)
			require.Equal(t, want, keys.Keys, pattern)
		}
		for key, want := range map[string]bool{"k": true, "line.7": false, "never": false} {
			exists, err := kv[ipc.KVExists](r, "a", ipc.MethodExists, ipc.KVParams{Key: key})
			require.NoError(t, err)
			require.Equal(t, want, exists.Exists, key)
		}
	})
}

func TestKVInput(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add("a", "")
	r.start()
	r.set("a", ipc.KVParams{Key: "word", Payload: text("seven")})
	r.set("a", ipc.KVParams{Key: "most", Payload: text("9223372036854775807")})
	r.set("a", ipc.KVParams{Key: "least", Payload: text("-9223372036854775808")})
	for name, c := range map[string]struct {
		method, params, code, says string
	}{
		"no key":          {"get", `{}`, ipc.CodeInvalidInput, "it can have 1 to 512"},
		"empty segment":   {"get", `{"key":"a..b"}`, ipc.CodeInvalidInput, "empty segment"},
		"dot at the end":  {"set", `{"key":"a."}`, ipc.CodeInvalidInput, "empty segment"},
		"odd character":   {"set", `{"key":"a b"}`, ipc.CodeInvalidInput, "use letters, digits, _, -, /, = and dots"},
		"umlaut":          {"set", `{"key":"ä"}`, ipc.CodeInvalidInput, "'ä'"},
		"wildcard":        {"delete", `{"key":"a.*"}`, ipc.CodeInvalidInput, "wildcard"},
		"long":            {"exists", `{"key":"` + strings.Repeat("k", 513) + `"}`, ipc.CodeInvalidInput, "has 513 bytes"},
		"bad pattern":     {"keys", `{"pattern":"a.>.b"}`, ipc.CodeInvalidInput, "> before its end"},
		"bad watch":       {"watch", `{"pattern":"a b"}`, ipc.CodeInvalidInput, "character"},
		"wrong type":      {"get", `{"key":7}`, ipc.CodeInvalidInput, "cannot be decoded"},
		"negative":        {"set", `{"key":"k","revision":-1}`, ipc.CodeInvalidInput, "cannot be decoded"},
		"no base64":       {"set", `{"key":"k","payload":"%"}`, ipc.CodeInvalidInput, "base64"},
		"negative ttl":    {"set", `{"key":"k","ttl_ms":-1}`, ipc.CodeInvalidInput, "ttl_ms"},
		"too long a ttl":  {"set", `{"key":"k","ttl_ms":9223372036854775807}`, ipc.CodeInvalidInput, "ttl_ms"},
		"no counter":      {"add", `{"key":"word","delta":1}`, ipc.CodeInvalidInput, "no counter"},
		"overflow":        {"add", `{"key":"most","delta":1}`, ipc.CodeInvalidInput, "more than a counter holds"},
		"underflow":       {"add", `{"key":"least","delta":-1}`, ipc.CodeInvalidInput, "more than a counter holds"},
		"huge buffer":     {"watch", `{"buffer":65537}`, ipc.CodeInvalidInput, "1 to 65536"},
		"negative buffer": {"watch", `{"buffer":-1}`, ipc.CodeInvalidInput, "1 to 65536"},
		"no watch":        {"unwatch", `{"subscription":"kv:a:>"}`, ipc.CodeNotFound, "no watch"},
		"no method":       {"put", `{"key":"k"}`, ipc.CodeUnknownType, "it has get, set"},
		"another bucket":  {"get", `{"bucket":"line-state","key":"k"}`, ipc.CodeDenied, `kv = ["line-state"]`},
		"no bucket":       {"get", `{"bucket":"a.b","key":"k"}`, ipc.CodeInvalidInput, "cannot be"},
		"too large":       {"set", `{"key":"k","payload":"` + text(strings.Repeat("x", ipc.MaxChunk+1)).Text() + `"}`, ipc.CodeTooLarge, "at most 1048576 bytes"},
		"much too large":  {"set", `{"key":"k","payload":"` + text(strings.Repeat("x", 2*ipc.MaxChunk)).Text() + `"}`, ipc.CodeTooLarge, "blob"},
	} {
		_, err := r.ask("a", ipc.ServiceKV, c.method, json.RawMessage(c.params))
		require.Error(t, err, name)
		var e *ipc.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, c.code, e.Code, "%s: %v", name, err)
		require.Contains(t, e.Message, c.says, name)
	}
	r.set("a", ipc.KVParams{Key: strings.Repeat("k", 512), Payload: text(strings.Repeat("x", ipc.MaxChunk))}) // the most there can be
	e, err := kv[ipc.KVEntry](r, "a", ipc.MethodGet, ipc.KVParams{Key: strings.Repeat("k", 512)})
	require.NoError(t, err)
	require.Equal(t, text(strings.Repeat("x", ipc.MaxChunk)), e.Payload)
}

// A shared bucket and another module's are used by whoever names them, and a module's own by itself alone.
func TestKVBuckets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add("a", `[requires]
kv = ["line-state", "b"]`)
	r.add("b", `[requires]
kv = ["line-state"]`)
	r.start()
	r.set("a", ipc.KVParams{Bucket: "line-state", Key: "k", Payload: text("shared")})
	r.set("a", ipc.KVParams{Bucket: "b", Key: "k", Payload: text("a guest")})
	r.set("a", ipc.KVParams{Key: "k", Payload: text("own")})
	for bucket, want := range map[string]string{"line-state": "shared", "": "a guest", "b": "a guest"} {
		e, err := kv[ipc.KVEntry](r, "b", ipc.MethodGet, ipc.KVParams{Bucket: bucket, Key: "k"})
		require.NoError(t, err)
		require.Equal(t, text(want), e.Payload)
	}
	_, err := kv[ipc.KVEntry](r, "b", ipc.MethodGet, ipc.KVParams{Bucket: "a", Key: "k"})
	require.Contains(t, requireCode(t, err, ipc.CodeDenied).Message, `kv = ["line-state", "a"]`)
}

// Nobody's addition is lost, and of many who create a key one does.
func TestKVRaces(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("a", "")
		r.start()
		const writers, times = 8, 10
		var all sync.WaitGroup
		created := make(chan int, writers)
		for w := range writers {
			all.Go(func() {
				if _, err := kv[ipc.KVWritten](r, "a", ipc.MethodSet, ipc.KVParams{Key: "lock", Revision: ref(uint64(0))}); err == nil {
					created <- w
				}
				for range times {
					if _, err := kv[ipc.KVCounted](r, "a", ipc.MethodAdd, ipc.KVParams{Key: "n", Delta: 3}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		require.Len(t, created, 1)
		w, err := kv[ipc.KVCounted](r, "a", ipc.MethodAdd, ipc.KVParams{Key: "n", Delta: -1})
		require.NoError(t, err)
		require.EqualValues(t, writers*times*3-1, w.Value)
		data, err := r.ask("a", ipc.ServiceKV, ipc.MethodAdd, ipc.KVParams{Key: "zero"})
		require.NoError(t, err)
		require.Contains(t, string(data), `"value":0`)
	})
}

// outside is a client beside ixt, as the nats tool is one.
func outside(t *testing.T, url string) jetstream.JetStream {
	conn, err := nats.Connect(url)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	return js
}

// Whatever the nats tool does to a bucket, the next request finds one.
func TestKVOutside(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := newRig(t)
	r.options.URL = s.url()
	r.add("a", "")
	r.start()
	r.set("a", ipc.KVParams{Key: "k", Payload: text("one")})
	js := outside(t, s.url())
	bucket, err := js.KeyValue(r.ctx, "ixt_kv_a")
	require.NoError(t, err)
	e, err := bucket.Get(r.ctx, "k")
	require.NoError(t, err)
	require.Equal(t, "one", string(e.Value()))
	_, err = bucket.PutString(r.ctx, "k", "from outside")
	require.NoError(t, err)
	got, err := kv[ipc.KVEntry](r, "a", ipc.MethodGet, ipc.KVParams{Key: "k"})
	require.NoError(t, err)
	require.Equal(t, text("from outside"), got.Payload)
	require.NoError(t, bucket.Delete(r.ctx, "k"))
	_, err = kv[ipc.KVEntry](r, "a", ipc.MethodGet, ipc.KVParams{Key: "k"})
	requireCode(t, err, ipc.CodeNotFound)

	name, err := kv[ipc.Subscribed](r, "a", ipc.MethodWatch, ipc.KVParams{Pattern: "after.*"})
	require.NoError(t, err)
	for _, method := range []string{ipc.MethodGet, ipc.MethodSet, ipc.MethodKeys, ipc.MethodExists, ipc.MethodAdd, ipc.MethodDelete} {
		require.NoError(t, js.DeleteKeyValue(r.ctx, "ixt_kv_a"))
		_, err := r.ask("a", ipc.ServiceKV, method, ipc.KVParams{Key: "k"})
		if method == ipc.MethodGet {
			requireCode(t, err, ipc.CodeNotFound)
		} else {
			require.NoError(t, err, method)
		}
	}
	r.set("a", ipc.KVParams{Key: "after.all", Payload: text("the watch goes on")})
	got2 := r.next("a")
	require.Equal(t, name.Subscription, got2.Subscription)
	require.Equal(t, "the watch goes on", got2.Text)

	s.stop()
	r.await("cannot be reached")
	_, err = kv[ipc.KVEntry](r, "a", ipc.MethodGet, ipc.KVParams{Key: "k"})
	requireCode(t, err, ipc.CodeUnavailable)
	s.start()
	r.await("are back")
	r.set("a", ipc.KVParams{Key: "k"})
	r.set("a", ipc.KVParams{Key: "after.restart", Payload: text("of the server, too")})
	require.Equal(t, "of the server, too", r.next("a").Text)
}

func TestPayloadThatIsNotBase64(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add("a", "events = [\"a.b\"]\n")
	r.start()
	for service, method := range map[string]string{ipc.ServiceKV: ipc.MethodSet, ipc.ServiceBlob: ipc.MethodPut, ipc.ServiceEvents: ipc.MethodPublish} {
		_, err := r.ask("a", service, method, map[string]string{"key": "k", "name": "n", "topic": "a.b", "payload": "%%%"})
		require.Regexp(t, "^payload is not base64", requireCode(t, err, ipc.CodeInvalidInput).Message)
	}
}
