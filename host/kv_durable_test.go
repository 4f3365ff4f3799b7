package host_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
)

// writerVar makes TestKVWriter a writer: how it syncs, its modules' directory and its state directory.
const writerVar = "IXT_TEST_WRITER"

// TestKVWriter is no test by itself. In a process of its own it begins a blob and sets the keys n.1, n.2 ... and writes each number that was acknowledged to its
// standard output, until it is killed.
func TestKVWriter(t *testing.T) {
	role := strings.Fields(os.Getenv(writerVar))
	if len(role) == 0 {
		t.Skip("the part of another process")
	}
	h, err := host.New(&host.Options{KVSync: role[0]})
	require.NoError(t, err)
	g := (&rig{t: t, dir: role[1], state: role[2]}).guest(h)
	params, _ := json.Marshal(ipc.BlobParams{Bucket: "a", Name: "unfinished", Payload: ipc.EncodePayload(content(1<<20, 1))})
	_, err = g.Ask(context.Background(), ipc.ServiceBlob, ipc.MethodPut, ipc.ObjectData(params))
	require.NoError(t, err)
	for n := 1; ; n++ {
		number := fmt.Sprint(n)
		params, _ := json.Marshal(ipc.KVParams{Bucket: "a", Key: "n." + number, Payload: text(number)})
		_, err := g.Ask(context.Background(), ipc.ServiceKV, ipc.MethodSet, ipc.ObjectData(params))
		require.NoError(t, err)
		fmt.Println("acknowledged", number)
	}
}

// written lets a writer, started by way of these arguments, write n keys, kills it and returns how many were acknowledged.
func (r *rig) written(sync string, n int, by ...string) int {
	exe, err := os.Executable()
	require.NoError(r.t, err)
	args := append(by, exe, "-test.run=^TestKVWriter$")
	writer := exec.Command(args[0], args[1:]...)
	writer.Env = append(os.Environ(), writerVar+"="+strings.Join([]string{sync, r.dir, r.state}, " "))
	writer.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := writer.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, writer.Start())
	last := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if number, ok := strings.CutPrefix(lines.Text(), "acknowledged "); ok {
			last, err = strconv.Atoi(number)
			require.NoError(r.t, err)
			if last == n {
				require.NoError(r.t, syscall.Kill(-writer.Process.Pid, syscall.SIGKILL))
			}
		}
	}
	_ = writer.Wait()
	require.GreaterOrEqual(r.t, last, n)
	return last
}

// What was acknowledged is there after kill -9 at any moment, however it syncs; and of an upload that it ended nothing is, as soon as the bucket is used.
func TestKVKill(t *testing.T) {
	for _, sync := range []string{host.SyncAlways, host.SyncInterval} {
		t.Run(sync, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.add("a", "")
			last := r.written(sync, 50)
			h, err := host.New(&host.Options{Listen: "127.0.0.1:0"})
			require.NoError(t, err)
			g := r.guest(h)
			for n := 1; n <= last; n++ {
				params, _ := json.Marshal(ipc.KVParams{Bucket: "a", Key: fmt.Sprint("n.", n)})
				answer, err := g.Ask(r.ctx, ipc.ServiceKV, ipc.MethodGet, ipc.ObjectData(params))
				require.NoError(t, err, "of %d that were acknowledged", last)
				var e ipc.KVEntry
				require.NoError(t, answer.Unpack(&e))
				require.Equal(t, text(fmt.Sprint(n)).Text(), e.Payload.Text())
			}
			_, addr, _ := strings.Cut(r.await("the engine listens at ").Text, " at ")
			js := outside(t, "nats://"+addr)
			require.NotZero(t, messages(r.ctx, t, js, "a"))
			params, _ := json.Marshal(ipc.BlobParams{Bucket: "a", Name: "empty", Last: true})
			_, err = g.Ask(r.ctx, ipc.ServiceBlob, ipc.MethodPut, ipc.ObjectData(params))
			require.NoError(t, err)
			awaitMessages(r, js, "a", 1)
		})
	}
}

// With "always" the file system is told to write each value before it is acknowledged, as strace sees.
func TestKVSync(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	t.Parallel()
	const writes = 20
	syncs := map[string]int{}
	for _, sync := range []string{host.SyncAlways, host.SyncInterval} {
		r := newRig(t)
		r.add("a", "")
		log := t.TempDir() + "/strace"
		if err := exec.Command(strace, "-o", log, "true").Run(); err != nil {
			t.Skip("strace is not allowed here:", err)
		}
		r.written(sync, writes, strace, "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", log)
		b, err := os.ReadFile(log)
		require.NoError(t, err)
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, "sync(") {
				syncs[sync]++
			}
		}
	}
	require.GreaterOrEqual(t, syncs[host.SyncAlways], writes)
	require.Less(t, syncs[host.SyncInterval], writes)
}
