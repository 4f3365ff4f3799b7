package host_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
)

// platter is what a disk has after a power cut: of each file what it was when it was last synced, and none that never was.
type platter struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (p *platter) sync(f *os.File) error {
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return err
	}
	content, err := io.ReadAll(f)
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.files[f.Name()] = content
	}
	return err
}

// cut is what there would be if the power failed now.
func (p *platter) cut() map[string][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.files)
}

// powerCut ends the supervisor, and begins another one with nothing but what was on the disk.
func (r *rig) powerCut(files map[string][]byte) {
	r.halt()
	require.NotEmpty(r.t, files)
	after := r.state + "-after"
	for path, content := range files {
		rel, err := filepath.Rel(r.state, path)
		require.NoError(r.t, err)
		path = filepath.Join(after, rel)
		require.NoError(r.t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(r.t, os.WriteFile(path, content, 0o600))
	}
	r.state = after
	r.start()
}

// What was acknowledged outlives a power cut, unless its bucket may wait: what nobody has synced is dropped.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	disk := &platter{files: map[string][]byte{}}
	r := newRig(t)
	r.options.KVBuckets = map[string]string{"waits": host.SyncInterval, "bound": host.SyncAlways}
	r.tap = func(h *host.Host) { h.OnSync(disk.sync) }
	const interval = "[kv]\nsync = \"interval\"\n"
	r.add("plc", publishes+"\n[requires]\nkv = [\"hasty\", \"bound\", \"shared\", \"waits\"]\n")
	r.add("hasty", interval) // by its author
	r.add("bound", interval) // whom the operator overrules
	r.add("report", subscribes)
	r.start()

	r.subscribe("report", ipc.Subscription{Pattern: "plc.>", Durable: "stock"})
	require.NoError(t, r.Stop(r.ctx, "report"))
	buckets := map[string]bool{"plc": true, "bound": true, "shared": true, "hasty": false, "waits": false}
	const writers, times = 4, 5
	large := bytes.Repeat([]byte{1}, 1<<20)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := range times {
				for bucket := range buckets {
					_, err := kv[ipc.KVWritten](r, "plc", ipc.MethodSet, ipc.KVParams{Bucket: bucket, Key: fmt.Sprint("n.", w), Payload: text(fmt.Sprint(n))})
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	g := r.Guest(nil)   // who has a shorter way
	for n := range 12 { // more than one file holds, so that some go again
		params, err := json.Marshal(ipc.KVParams{Bucket: "plc", Key: fmt.Sprint("large.", n%2), Payload: ipc.EncodePayload(append(large[:len(large)-1], byte(n)))})
		require.NoError(t, err)
		_, err = g.Ask(r.ctx, ipc.ServiceKV, ipc.MethodSet, ipc.ObjectData(params))
		require.NoError(t, err)
	}
	g.Close()
	r.set("plc", ipc.KVParams{Key: "deleted", Payload: text("1")})
	_, err := r.ask("plc", ipc.ServiceKV, ipc.MethodDelete, ipc.KVParams{Key: "deleted"})
	require.NoError(t, err)
	picture := content(1<<20, 1)
	r.put("plc", "picture", picture)
	r.publish("plc", "plc.a", "1", "2")

	r.powerCut(disk.cut())
	for bucket, kept := range buckets {
		for w := range writers {
			e, err := kv[ipc.KVEntry](r, "plc", ipc.MethodGet, ipc.KVParams{Bucket: bucket, Key: fmt.Sprint("n.", w)})
			if !kept {
				requireCode(t, err, ipc.CodeNotFound)
				continue
			}
			require.NoError(t, err, bucket)
			require.Equal(t, text(fmt.Sprint(times-1)), e.Payload, bucket)
		}
	}
	for n := range 2 {
		e, err := kv[ipc.KVEntry](r, "plc", ipc.MethodGet, ipc.KVParams{Key: fmt.Sprint("large.", n)})
		require.NoError(t, err)
		require.True(t, e.Payload.Text() == ipc.EncodePayload(append(large[:len(large)-1], byte(10+n))).Text())
	}
	_, err = kv[ipc.KVEntry](r, "plc", ipc.MethodGet, ipc.KVParams{Key: "deleted"})
	requireCode(t, err, ipc.CodeNotFound)
	r.requireBlob("plc", "picture", picture)
	r.subscribe("report", ipc.Subscription{Pattern: "plc.>", Durable: "stock"})
	require.Equal(t, []string{"1", "2"}, r.texts("report", 2))
}

// What the disk refuses is not acknowledged, then or later: the system does not say twice what it has lost.
func TestDiskThatRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.options.KVBuckets = map[string]string{"waits": host.SyncInterval}
	var broken atomic.Bool
	r.tap = func(h *host.Host) {
		h.OnSync(func(f *os.File) error {
			if broken.Load() {
				return &os.PathError{Op: "sync", Path: f.Name(), Err: syscall.EIO}
			}
			return nil
		})
	}
	r.add("plc", publishes+"\n[requires]\nkv = [\"waits\", \"other\"]\n")
	r.start()
	r.set("plc", ipc.KVParams{Key: "k", Payload: text("1")})
	for _, now := range []bool{true, false} {
		broken.Store(now)
		_, err := kv[ipc.KVWritten](r, "plc", ipc.MethodSet, ipc.KVParams{Key: "k", Payload: text("2")})
		var e *ipc.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, ipc.CodeUnavailable, e.Code)
		require.Equal(t, ipc.Unknown, e.Outcome)
		require.Contains(t, e.Message, "start ixt again")
	}
	r.set("plc", ipc.KVParams{Bucket: "waits", Key: "k", Payload: text("3")})
	r.set("plc", ipc.KVParams{Bucket: "other", Key: "k", Payload: text("4")})
}

// Others at an engine do not ask this host to sync what they write, so that the engine does.
func TestEngineThatListensSyncsByItself(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.options.KVBuckets = map[string]string{"waits": host.SyncInterval}
	r.options.Listen = "127.0.0.1:0"
	var asked atomic.Bool
	r.tap = func(h *host.Host) {
		h.OnSync(func(*os.File) error {
			asked.Store(true)
			return nil
		})
	}
	r.add("plc", "")
	r.start()
	r.set("plc", ipc.KVParams{Key: "k", Payload: text("1")})
	require.False(t, asked.Load())
}

// Many who write at once share the disk's turns.
func TestSyncsAreShared(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	stream := filepath.Join(root, "jetstream", "$G", "streams", "s")
	require.NoError(t, os.MkdirAll(stream, 0o700))
	file := filepath.Join(stream, "1.blk")
	require.NoError(t, os.WriteFile(file, []byte("1"), 0o600))
	begun, proceed := make(chan struct{}, 1), make(chan struct{})
	var syncs atomic.Int64
	disk := host.NewDisk(root, func(f *os.File) error {
		if f.Name() == file {
			syncs.Add(1)
			begun <- struct{}{}
			<-proceed
		}
		return nil
	})
	await := []func() error{disk.Join("s")}
	<-begun // the others come too late for this one
	require.NoError(t, os.WriteFile(file, []byte("12"), 0o600))
	for range 8 {
		await = append(await, disk.Join("s"))
	}
	close(proceed)
	for _, settled := range await {
		require.NoError(t, settled())
	}
	require.EqualValues(t, 2, syncs.Load())
	require.NoError(t, disk.Join("s")())
	require.EqualValues(t, 2, syncs.Load(), "nothing has changed")
}
