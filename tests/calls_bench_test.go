package tests

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/supervisor"
)

// BenchmarkCall is a call of 64 bytes to a module in a process of its own, and one to a module that calls the first in turn.
// Allocations are those of the caller and the supervisor, which are in this process.
func BenchmarkCall(b *testing.B) {
	sup := supervise(b, map[string]string{"echo.say": "", "relay.forward": "[requires]\nservices = [\"echo.say\"]\n"})
	payload := bytes.Repeat([]byte("payload!"), 8)
	for _, way := range []struct {
		name string
		m    supervisor.Message
	}{
		{"direct", supervisor.Message{Topic: "echo.say", Payload: payload}},
		{"nested", supervisor.Message{Topic: "relay.forward", Payload: append([]byte("echo.say "), payload...)}},
	} {
		call := func(b *testing.B) {
			answer, err := sup.Call(b.Context(), way.m)
			if err != nil {
				b.Error(err)
				return
			}
			if back, _ := answer.Payload(); !bytes.Equal(back, payload) {
				b.Errorf("%q came back", back)
			}
		}
		b.Run(way.name+"/1caller", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call(b)
			}
		})
		b.Run(way.name+"/64callers", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(max(64/runtime.GOMAXPROCS(0), 1))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					call(b)
				}
			})
		})
	}
}

// supervise runs a polite module for each topic; its manifest has more in it.
func supervise(b *testing.B, topics map[string]string) *supervisor.Supervisor {
	exe, err := os.Executable()
	require.NoError(b, err)
	dir := b.TempDir()
	for topic, more := range topics {
		name := filepath.Join(dir, topic)
		require.NoError(b, os.Mkdir(name, 0o755))
		require.NoError(b, os.WriteFile(filepath.Join(name, "manifest.toml"), fmt.Appendf(nil, `schema_version = "3.0"
[module]
name = %q
version = "1.0.0"
[artifacts.process]
path = %q
args = ["-test.run=^$"]
env = { %s = "polite" }
[provides]
services = [%q]
%s`, topic[:bytes.IndexByte([]byte(topic), '.')], exe, roleVar, topic, more), 0o644))
	}
	sup, err := supervisor.New(&supervisor.Options{Dirs: []string{dir}})
	require.NoError(b, err)
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- sup.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		require.NoError(b, <-ran)
	})
	return sup
}
