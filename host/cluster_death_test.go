package host_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// distant is a supervisor of a cluster in a process of its own, which can die.
type distant struct {
	t   testing.TB
	cmd *exec.Cmd

	mu    sync.Mutex
	said  []string
	more  chan struct{} // closed and replaced with every line
	quiet chan struct{} // closed when it says nothing more
}

// startApart runs what r has been given in another process; wrap is a command before it.
func (r *rig) startApart(wrap ...string) *distant {
	exe, err := os.Executable()
	require.NoError(r.t, err)
	command := append(wrap, exe)
	d := &distant{t: r.t, cmd: exec.Command(command[0], command[1:]...), more: make(chan struct{}), quiet: make(chan struct{})}
	d.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=node %s %s %s %s", roleVar, r.dir, r.state, r.options.URL, r.options.Node), "GORACE=atexit_sleep_ms=0")
	d.cmd.Stderr = os.Stderr
	out, err := d.cmd.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, d.cmd.Start())
	go func() {
		defer close(d.quiet)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			d.mu.Lock()
			d.said = append(d.said, lines.Text())
			close(d.more)
			d.more = make(chan struct{})
			d.mu.Unlock()
		}
	}()
	r.t.Cleanup(func() {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		_ = d.cmd.Process.Signal(syscall.SIGCONT)
		select {
		case <-d.quiet:
		case <-time.After(patience):
			r.t.Errorf("node %s does not stop", r.options.Node)
			_ = d.cmd.Process.Kill()
			<-d.quiet
		}
		_ = d.cmd.Wait()
		if r.t.Failed() {
			r.t.Logf("journal of node %s:\n%s", r.options.Node, strings.Join(d.said, "\n"))
		}
	})
	return d
}

// kill kills it and returns when.
func (d *distant) kill() time.Time {
	at := time.Now()
	require.NoError(d.t, d.cmd.Process.Kill())
	return at
}

// await waits until its journal has said something for the n-th time.
func (d *distant) await(text string, n int) {
	late := time.After(patience)
	for {
		d.mu.Lock()
		count, more := 0, d.more
		for _, line := range d.said {
			if strings.Contains(line, text) {
				count++
			}
		}
		d.mu.Unlock()
		if count >= n {
			return
		}
		select {
		case <-more:
		case <-late:
			require.FailNow(d.t, "waited in vain", "for %q", text)
		}
	}
}

// awaitHeld waits until the module work, wherever it is, has held so many calls.
func (r *rig) awaitHeld(want int) {
	require.Eventually(r.t, func() bool {
		var n struct{ Held int }
		data, err := r.call("work", "count", nil)
		return err == nil && json.Unmarshal(data, &n) == nil && n.Held == want
	}, patience, 10*time.Millisecond, "nobody has the calls")
}

func TestNodeDies(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a, b, c := newNode(t, s, "a"), newNode(t, s, "b"), newNode(t, s, "c")
	b.witness("work", exportDo+twice)
	c.witness("work", exportDo+twice)
	a.start()
	doomed := b.startApart()
	a.sees("b", "work.do")
	held := func(topic, text string) <-chan result {
		return a.sendOff(supervisor.Message{Topic: topic, Payload: []byte(text)})
	}
	once := held("work.do", "hold once")
	again := held("work.next", "hold once")
	a.awaitHeld(2)
	c.startApart()
	a.sees("c", "work.next")

	at := doomed.kill()
	r := <-once
	requireError(t, r.err, ipc.CodeModuleGone, ipc.Unknown)
	t.Logf("killed: a call ended after %s", r.at.Sub(at))
	require.Less(t, r.at.Sub(at), 6*time.Second)
	r = <-again
	require.NoError(t, r.err)
	t.Logf("killed: a call was answered by another node after %s", r.at.Sub(at))
	require.Equal(t, "c", r.saw.Node)
	require.Equal(t, 2, r.saw.Context.Attempt)
	a.await("node b is gone")
	saw, err := a.send(supervisor.Message{Topic: "work.do"})
	require.NoError(t, err)
	require.Equal(t, "c", saw.Node)
	require.False(t, a.host.Provides("work.do", "b"))
}
