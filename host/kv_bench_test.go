package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// bench runs f with a host that somebody in this process asks, one request after the other.
func bench(b *testing.B, options host.Options, f func(b *testing.B, ask func(service, method string, params any) json.RawMessage)) {
	dir, err := os.MkdirTemp("", "ixt")
	require.NoError(b, err)
	defer os.RemoveAll(dir)
	exe, err := os.Executable()
	require.NoError(b, err)
	require.NoError(b, os.Mkdir(filepath.Join(dir, "m"), 0o755))
	require.NoError(b, os.WriteFile(filepath.Join(dir, "m", "manifest.toml"), fmt.Appendf(nil,
		"schema_version = \"3.0\"\n[module]\nname = \"a\"\nversion = \"1.0.0\"\n[artifacts.process]\npath = %q\n", exe), 0o644))
	h, err := host.New(&options)
	require.NoError(b, err)
	s, err := supervisor.New(&supervisor.Options{Dirs: []string{dir}, StateDir: filepath.Join(dir, "s"), Engine: h, OnDemand: true})
	require.NoError(b, err)
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	g := s.Guest(nil)
	f(b, func(service, method string, params any) json.RawMessage {
		body, err := json.Marshal(params)
		require.NoError(b, err)
		answer, err := g.Ask(ctx, service, method, ipc.ObjectData(body))
		require.NoError(b, err)
		return answer.JSON()
	})
	g.Close()
	stop()
	require.NoError(b, <-ran)
}

func eachSync(b *testing.B, f func(b *testing.B, ask func(service, method string, params any) json.RawMessage)) {
	for name, options := range map[string]host.Options{
		"always":                        {},
		"interval":                      {KVSync: host.SyncInterval},
		"always while another may wait": {KVBuckets: map[string]string{"b": host.SyncInterval}},
	} {
		b.Run(name, func(b *testing.B) { bench(b, options, f) })
	}
}

func BenchmarkKVSet(b *testing.B) {
	eachSync(b, func(b *testing.B, ask func(service, method string, params any) json.RawMessage) {
		p := ipc.KVParams{Bucket: "a", Key: "k", Payload: ipc.EncodePayload(content(100, 1))}
		ask(ipc.ServiceKV, ipc.MethodSet, p)
		for b.Loop() {
			ask(ipc.ServiceKV, ipc.MethodSet, p)
		}
	})
}

// As many at once as a busy module has.
func BenchmarkKVSetTogether(b *testing.B) {
	eachSync(b, func(b *testing.B, ask func(service, method string, params any) json.RawMessage) {
		p := ipc.KVParams{Bucket: "a", Key: "k", Payload: ipc.EncodePayload(content(100, 1))}
		ask(ipc.ServiceKV, ipc.MethodSet, p)
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				ask(ipc.ServiceKV, ipc.MethodSet, p)
			}
		})
	})
}

func BenchmarkKVGet(b *testing.B) {
	eachSync(b, func(b *testing.B, ask func(service, method string, params any) json.RawMessage) {
		ask(ipc.ServiceKV, ipc.MethodSet, ipc.KVParams{Bucket: "a", Key: "k", Payload: ipc.EncodePayload(content(100, 1))})
		for b.Loop() {
			ask(ipc.ServiceKV, ipc.MethodGet, ipc.KVParams{Bucket: "a", Key: "k"})
		}
	})
}

const benchBlob = 16 << 20

func putBench(ask func(service, method string, params any) json.RawMessage) {
	p := ipc.BlobParams{Bucket: "a", Name: "n", Payload: ipc.EncodePayload(make([]byte, 256<<10))}
	for left := benchBlob; left > 0; left -= 256 << 10 {
		p.Last = left == 256<<10
		var u ipc.BlobUpload
		_ = json.Unmarshal(ask(ipc.ServiceBlob, ipc.MethodPut, p), &u)
		p.Upload = u.Upload
	}
}

func BenchmarkBlobPut(b *testing.B) {
	eachSync(b, func(b *testing.B, ask func(service, method string, params any) json.RawMessage) {
		b.SetBytes(benchBlob)
		for b.Loop() {
			putBench(ask)
		}
	})
}

func BenchmarkBlobGet(b *testing.B) {
	bench(b, host.Options{KVSync: host.SyncInterval}, func(b *testing.B, ask func(service, method string, params any) json.RawMessage) {
		putBench(ask)
		b.SetBytes(benchBlob)
		for b.Loop() {
			var c ipc.BlobChunk
			for p := (ipc.BlobParams{Bucket: "a", Name: "n"}); !c.Last; p = (ipc.BlobParams{Download: c.Download}) {
				c = ipc.BlobChunk{}
				_ = json.Unmarshal(ask(ipc.ServiceBlob, ipc.MethodGet, p), &c)
			}
		}
	})
}
