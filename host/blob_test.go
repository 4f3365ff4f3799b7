package host_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

func blob[R any](r *rig, who, method string, p ipc.BlobParams) (R, error) {
	return asked[R](r, who, ipc.ServiceBlob, method, p)
}

// content is n bytes that are the same for the same seed.
func content(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func sum(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// upload puts data in chunks, all but the last of them, and returns the upload.
func (r *rig) upload(who, name string, data []byte, chunk int) (upload string, rest []byte) {
	for len(data) > chunk {
		u, err := blob[ipc.BlobUpload](r, who, ipc.MethodPut, ipc.BlobParams{Name: name, Upload: upload, Payload: ipc.EncodePayload(data[:chunk])})
		require.NoError(r.t, err)
		upload, data = u.Upload, data[chunk:]
	}
	return upload, data
}

func (r *rig) put(who, name string, data []byte) ipc.BlobInfo {
	upload, rest := r.upload(who, name, data, 300_000)
	info, err := blob[ipc.BlobInfo](r, who, ipc.MethodPut, ipc.BlobParams{Name: name, Upload: upload, Payload: ipc.EncodePayload(rest), Last: true, SHA256: sum(data)})
	require.NoError(r.t, err)
	return info
}

func (r *rig) begin(who, name string) ipc.BlobChunk {
	c, err := blob[ipc.BlobChunk](r, who, ipc.MethodGet, ipc.BlobParams{Name: name})
	require.NoError(r.t, err)
	return c
}

// finish reads what follows the first chunk.
func (r *rig) finish(who string, c ipc.BlobChunk) ([]byte, error) {
	var all []byte
	for {
		b, err := c.Payload.Decode()
		require.NoError(r.t, err)
		if all = append(all, b...); c.Last {
			require.Empty(r.t, c.Download)
			return all, nil
		}
		if c, err = blob[ipc.BlobChunk](r, who, ipc.MethodGet, ipc.BlobParams{Download: c.Download}); err != nil {
			return nil, err
		}
	}
}

func (r *rig) requireBlob(who, name string, want []byte) {
	c := r.begin(who, name)
	require.Equal(r.t, sum(want), c.SHA256)
	require.EqualValues(r.t, len(want), c.Size)
	got, err := r.finish(who, c)
	require.NoError(r.t, err)
	require.True(r.t, bytes.Equal(want, got), "the bytes of %s", name)
}

func TestBlobMethods(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("a", "")
		r.start()
		var want []ipc.BlobInfo
		for _, size := range []int{0, 1, 256 << 10, 5 << 20} {
			data, name := content(size, 1), fmt.Sprintf("image.%08d", size)
			info := r.put("a", name, data)
			require.Equal(t, sum(data), info.SHA256)
			r.requireBlob("a", name, data)
			stat, err := blob[ipc.BlobInfo](r, "a", ipc.MethodStat, ipc.BlobParams{Name: name})
			require.NoError(t, err)
			require.Equal(t, info, stat)
			want = append(want, info)
		}
		r.put("a", "other", nil)
		list, err := blob[ipc.BlobList](r, "a", ipc.MethodList, ipc.BlobParams{Prefix: "image."})
		require.NoError(t, err)
		require.Equal(t, want, list.Blobs)

		r.put("a", "other", []byte("replaced"))
		r.requireBlob("a", "other", []byte("replaced"))
		_, err = blob[struct{}](r, "a", ipc.MethodDelete, ipc.BlobParams{Name: "other"})
		require.NoError(t, err)
		for _, method := range []string{ipc.MethodDelete, ipc.MethodStat, ipc.MethodGet} {
			_, err = blob[struct{}](r, "a", method, ipc.BlobParams{Name: "other"})
			requireCode(t, err, ipc.CodeNotFound)
		}
		data, err := r.ask("a", ipc.ServiceBlob, ipc.MethodList, ipc.BlobParams{Prefix: "other"})
		require.NoError(t, err)
		require.JSONEq(t, `{"blobs":[]}`, string(data))
	})
}

func TestBlobInput(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add("a", "")
	r.start()
	r.put("a", "there", content(600<<10, 1))
	up, err := blob[ipc.BlobUpload](r, "a", ipc.MethodPut, ipc.BlobParams{Name: "open"})
	require.NoError(t, err)
	down := r.begin("a", "there")
	for name, c := range map[string]struct {
		method, params, code, says string
	}{
		"no name":        {"put", `{}`, ipc.CodeInvalidInput, "it can have 1 to 512"},
		"bad name":       {"get", `{"name":"a b"}`, ipc.CodeInvalidInput, "character"},
		"wildcard":       {"stat", `{"name":"a.*"}`, ipc.CodeInvalidInput, "wildcard"},
		"wrong type":     {"put", `{"name":"n","last":7}`, ipc.CodeInvalidInput, "cannot be decoded"},
		"no base64":      {"put", `{"name":"n","payload":"%"}`, ipc.CodeInvalidInput, "base64"},
		"chunk":          {"put", `{"name":"n","payload":"` + text(strings.Repeat("x", ipc.MaxChunk+1)).Text() + `"}`, ipc.CodeTooLarge, "send more than one"},
		"no upload":      {"put", `{"name":"n","upload":"u"}`, ipc.CodeNotFound, "begin anew"},
		"no download":    {"get", `{"download":"d"}`, ipc.CodeNotFound, "begin anew"},
		"not an upload":  {"put", `{"upload":"` + down.Download + `"}`, ipc.CodeInvalidInput, "is a download"},
		"not a download": {"get", `{"download":"` + up.Upload + `"}`, ipc.CodeInvalidInput, "is an upload"},
		"another bucket": {"list", `{"bucket":"images"}`, ipc.CodeDenied, `blobs = ["images"]`},
		"no method":      {"set", `{"name":"n"}`, ipc.CodeUnknownType, "it has put, get"},
		"broken sum":     {"put", `{"name":"n","payload":"eA==","last":true,"sha256":"00"}`, ipc.CodeInvalidInput, "nothing is kept"},
	} {
		_, err := r.ask("a", ipc.ServiceBlob, c.method, json.RawMessage(c.params))
		var e *ipc.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, c.code, e.Code, "%s: %v", name, err)
		require.Contains(t, e.Message, c.says, name)
	}
	// What was open is still.
	rest, err := r.finish("a", down)
	require.NoError(t, err)
	require.Len(t, rest, 600<<10)
	_, err = blob[ipc.BlobInfo](r, "a", ipc.MethodPut, ipc.BlobParams{Upload: up.Upload, Payload: text("x"), Last: true})
	require.NoError(t, err)
	r.requireBlob("a", "open", []byte("x"))
}

// messages is how many messages the engine keeps of a bucket: one for each blob, and its parts.
func messages(ctx context.Context, t *testing.T, js jetstream.JetStream, bucket string) uint64 {
	st, err := js.Stream(ctx, "OBJ_ixt_blob_"+bucket)
	require.NoError(t, err)
	info, err := st.Info(ctx)
	require.NoError(t, err)
	return info.State.Msgs
}

// awaitMessages waits until that is n.
func awaitMessages(r *rig, js jetstream.JetStream, bucket string, n uint64) {
	require.Eventually(r.t, func() bool { return messages(r.ctx, r.t, js, bucket) == n }, patience, 10*time.Millisecond)
}

// Of an upload that does not come to its end nothing is left, and nobody has seen it.
func TestBlobAbandoned(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := newRig(t)
	r.options.URL = s.url()
	r.add("a", "")
	r.add("b", "[requires]\nkv = [\"a\"]\n")
	r.start()
	js := outside(t, s.url())
	data := content(2<<20, 1)
	for _, end := range []func(upload string, rest []byte){
		func(upload string, rest []byte) {
			_, err := blob[ipc.BlobInfo](r, "a", ipc.MethodPut, ipc.BlobParams{Upload: upload, Payload: ipc.EncodePayload(rest), Last: true, SHA256: sum(nil)})
			requireCode(t, err, ipc.CodeInvalidInput)
		},
		func(string, []byte) {
			r.mode("a", "crash")
			r.watch("a", ipc.KVParams{})
			r.set("b", ipc.KVParams{Bucket: "a", Key: "k"}) // which a itself might not live to see answered
			r.await("exit 7")
		},
	} {
		upload, rest := r.upload("a", "big", data, 1<<20)
		require.NotZero(t, messages(r.ctx, t, js, "a"))
		_, err := blob[ipc.BlobInfo](r, "a", ipc.MethodStat, ipc.BlobParams{Name: "big"})
		requireCode(t, err, ipc.CodeNotFound)
		end(upload, rest)
		awaitMessages(r, js, "a", 0)
	}
}

func TestBlobLimits(t *testing.T) {
	t.Parallel()
	_, put := guestUploads(t, nil)
	for n := range 16 {
		_, err := put(fmt.Sprint("n", n), "", content(300<<10, 1))
		require.NoError(t, err)
	}
	_, err := put("one-more", "", nil)
	requireCode(t, err, ipc.CodeBusy)
}

func TestBlobUploadThatIsForgotten(t *testing.T) {
	t.Parallel()
	left, put := guestUploads(t, func(h *host.Host) { h.SetIdle(500 * time.Millisecond) })
	u, err := put("n", "", content(300<<10, 1))
	require.NoError(t, err)
	left(0)
	_, err = put("", u.Upload, nil)
	requireCode(t, err, ipc.CodeNotFound)
}

// guestUploads returns what sends a chunk of a blob in the bucket a, and what waits until the bucket has so many messages.
func guestUploads(t *testing.T, change func(*host.Host)) (left func(n uint64), put func(name, upload string, data []byte) (ipc.BlobUpload, error)) {
	s := newServer(t)
	r := newRig(t)
	r.options.URL = s.url()
	r.add("a", "")
	h, err := host.New(&r.options)
	require.NoError(t, err)
	if change != nil {
		change(h)
	}
	g := r.guest(h)
	js := outside(t, s.url())
	return func(n uint64) { awaitMessages(r, js, "a", n) }, func(name, upload string, data []byte) (u ipc.BlobUpload, err error) {
		params, _ := json.Marshal(ipc.BlobParams{Bucket: "a", Name: name, Upload: upload, Payload: ipc.EncodePayload(data)})
		answer, err := g.Ask(r.ctx, ipc.ServiceBlob, ipc.MethodPut, ipc.ObjectData(params))
		if err == nil {
			err = answer.Unpack(&u)
		}
		return u, err
	}
}

// guest runs a supervisor with h over the rig's directories, whose modules are not started, and lets somebody in who may do everything.
func (r *rig) guest(h *host.Host) *supervisor.Guest {
	s, err := supervisor.New(&supervisor.Options{Dirs: []string{r.dir}, StateDir: r.state, Engine: h, OnDemand: true})
	require.NoError(r.t, err)
	r.Supervisor = s
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	g := s.Guest(nil)
	r.t.Cleanup(func() {
		g.Close()
		stop()
		require.NoError(r.t, <-ran)
	})
	return g
}

// What is read is one version, whatever becomes of the blob meanwhile; then nothing is left of that version.
func TestBlobReplacedWhileRead(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("a", "")
		r.start()
		first, second := content(2<<20, 1), content(3<<20, 2)
		r.put("a", "n", first)
		one := r.begin("a", "n")
		r.put("a", "n", second)
		two := r.begin("a", "n")
		_, err := blob[struct{}](r, "a", ipc.MethodDelete, ipc.BlobParams{Name: "n"})
		require.NoError(t, err)
		for want, chunk := range map[*[]byte]ipc.BlobChunk{&first: one, &second: two} {
			got, err := r.finish("a", chunk)
			require.NoError(t, err)
			require.True(t, bytes.Equal(*want, got))
		}
		if r.options.URL != "" {
			awaitMessages(r, outside(t, r.options.URL), "a", 0)
		}
	})
}

// What the client of NATS puts is read here and the reverse; and if it replaces what is being read, that is said.
func TestBlobOutside(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := newRig(t)
	r.options.URL = s.url()
	r.add("a", "")
	r.start()
	data := content(1<<20+7, 1)
	r.put("a", "n", data)
	store, err := outside(t, s.url()).ObjectStore(r.ctx, "ixt_blob_a")
	require.NoError(t, err)
	got, err := store.GetBytes(r.ctx, "n")
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))

	reading := r.begin("a", "n")
	other := content(2<<20, 2)
	_, err = store.PutBytes(r.ctx, "n", other)
	require.NoError(t, err)
	_, err = r.finish("a", reading)
	requireCode(t, err, ipc.CodeConflict)
	r.requireBlob("a", "n", other)
	r.put("a", "n", data)
	r.requireBlob("a", "n", data)
	require.NoError(t, store.Delete(r.ctx, "n"))
	_, err = blob[ipc.BlobInfo](r, "a", ipc.MethodStat, ipc.BlobParams{Name: "n"})
	requireCode(t, err, ipc.CodeNotFound)

	upload, rest := r.upload("a", "torn", data, 512<<10)
	require.NoError(t, outside(t, s.url()).DeleteObjectStore(r.ctx, "ixt_blob_a"))
	_, err = blob[ipc.BlobInfo](r, "a", ipc.MethodPut, ipc.BlobParams{Upload: upload, Payload: ipc.EncodePayload(rest), Last: true})
	requireCode(t, err, ipc.CodeConflict)
	r.put("a", "torn", data)
	r.requireBlob("a", "torn", data)
}

// What a large blob costs in memory does not grow with it. No other test runs meanwhile.
func TestBlobMemory(t *testing.T) {
	r := newRig(t)
	r.add("a", "")
	h, err := host.New(nil)
	require.NoError(t, err)
	g := r.guest(h)
	put := func(name string, size int) {
		p := ipc.BlobParams{Bucket: "a", Name: name, Payload: ipc.EncodePayload(make([]byte, 1<<20))}
		for left := size; left > 0; left -= 1 << 20 {
			p.Last = left == 1<<20
			params, err := json.Marshal(p)
			require.NoError(t, err)
			data, err := g.Ask(r.ctx, ipc.ServiceBlob, ipc.MethodPut, ipc.ObjectData(params))
			require.NoError(t, err)
			var u ipc.BlobUpload
			require.NoError(t, data.Unpack(&u))
			p.Upload = u.Upload
		}
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what is pooled outlives one
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	put("small", 1<<20)
	before := heap()
	put("large", 48<<20)
	require.Less(t, heap(), before+28<<20)
}
