package tests

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/supervisor"
)

// patience bounds every wait of a test for something that must happen; it is never slept.
const patience = 2 * time.Minute

// fleet is a directory of modules and the supervisor that runs them.
type fleet struct {
	*supervisor.Supervisor
	t    *testing.T
	dir  string
	opts supervisor.Options
	ctx  context.Context // bounds what the test waits for
	stop context.CancelFunc
	ran  chan error
}

func newFleet(t *testing.T) *fleet {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &fleet{t: t, dir: t.TempDir(), ctx: ctx}
}

// add writes the manifest of a module that plays a role. more is further TOML, tables first come first.
func (f *fleet) add(name, role string, topics []string, more string) {
	exe, err := os.Executable()
	require.NoError(f.t, err)
	f.write(name, fmt.Sprintf(`schema_version = "3.0"
[module]
name = %q
version = "1.0.0"
[artifacts.process]
path = %q
args = ["-test.run=^$"]
env = { %s = %q, GOTRACEBACK = "single", GORACE = "atexit_sleep_ms=0" }
[provides]
services = [%s]
%s`, name, exe, roleVar, role, quoted(topics), more))
}

func (f *fleet) write(name, manifest string) {
	dir := filepath.Join(f.dir, name)
	require.NoError(f.t, os.MkdirAll(dir, 0o755))
	require.NoError(f.t, os.WriteFile(filepath.Join(dir, "manifest.toml"), []byte(manifest), 0o644))
}

func quoted(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, fmt.Sprintf("%q", w))
	}
	return strings.Join(out, ", ")
}

// start runs the supervisor; the test's end stops it and proves that nothing is left, and that no wait ended only because
// the test's patience did.
func (f *fleet) start() *fleet {
	f.opts.Dirs = append(f.opts.Dirs, f.dir)
	var err error
	f.Supervisor, err = supervisor.New(&f.opts)
	require.NoError(f.t, err)
	var ctx context.Context
	ctx, f.stop = context.WithCancel(context.Background())
	f.ran = make(chan error, 1)
	go func() { f.ran <- f.Run(ctx) }()
	f.t.Cleanup(func() {
		late := f.ctx.Err()
		f.halt()
		require.NoError(f.t, late, "something took longer than the test is patient; journal:\n%s", f.story())
	})
	return f
}

// halt stops the supervisor in order and checks that every process it had is gone.
func (f *fleet) halt() {
	pids := f.pids()
	f.stop()
	select {
	case err := <-f.ran:
		require.NoError(f.t, err)
		f.ran <- nil // halting twice is harmless
	case <-time.After(2 * patience):
		f.StopNow()
		f.t.Fatalf("the supervisor did not stop; journal:\n%s", f.story())
	}
	f.requireGone(pids)
}

func (f *fleet) requireGone(pids []int) {
	for _, pid := range pids {
		require.ErrorIs(f.t, syscall.Kill(pid, 0), syscall.ESRCH, "process %d is left; journal:\n%s", pid, f.story())
	}
}

// instance is the status of a module's first instance.
func (f *fleet) instance(module string) supervisor.InstanceStatus {
	m, err := f.Module(module)
	require.NoError(f.t, err)
	return m.Instances[0]
}

// spawned counts the processes that a module has had.
func (f *fleet) spawned(module string) (n int) {
	for _, e := range f.Journal().Last(1000) {
		if e.Module == module && e.State == supervisor.Starting && e.Text == "spawned" {
			n++
		}
	}
	return n
}

func (f *fleet) pids() (pids []int) {
	for _, m := range f.Modules() {
		for _, in := range m.Instances {
			if in.PID != 0 {
				pids = append(pids, in.PID)
			}
		}
	}
	return pids
}

// story is the whole journal, for the message of a failure.
func (f *fleet) story() string {
	var b strings.Builder
	for _, e := range f.Journal().Last(1000) {
		fmt.Fprintf(&b, "%s %s\n", e.Time.Format("05.000"), e)
	}
	return b.String()
}

// await waits for a journal entry that fits, from the beginning on.
func (f *fleet) await(what string, fits func(supervisor.Entry) bool) supervisor.Entry {
	return f.awaitAfter(0, what, fits)
}

// awaitAfter is await for entries after the one numbered after.
func (f *fleet) awaitAfter(after uint64, what string, fits func(supervisor.Entry) bool) supervisor.Entry {
	for e := range f.Journal().Follow(f.ctx, after) {
		if fits(e) {
			return e
		}
	}
	f.t.Fatalf("waited in vain for %s; journal:\n%s", what, f.story())
	return supervisor.Entry{}
}

// awaitState waits until an instance of the module enters the state.
func (f *fleet) awaitState(module string, state supervisor.State) supervisor.Entry {
	return f.awaitStateAfter(0, module, state)
}

func (f *fleet) awaitStateAfter(after uint64, module string, state supervisor.State) supervisor.Entry {
	return f.awaitAfter(after, module+" "+string(state), func(e supervisor.Entry) bool {
		return e.Kind == supervisor.KindState && e.Module == module && e.State == state
	})
}

// say calls a topic and returns the answer's payload.
func (f *fleet) say(topic, payload string) (string, error) {
	answer, err := f.Call(f.ctx, supervisor.Message{Topic: topic, Payload: []byte(payload)})
	if err != nil {
		return "", err
	}
	b, ok := answer.Payload()
	require.True(f.t, ok, "the answer of %s has no payload: %s", topic, answer.JSON())
	return string(b), nil
}

// later makes a call in the background.
func (f *fleet) later(topic, payload string) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := f.Call(f.ctx, supervisor.Message{Topic: topic, Payload: []byte(payload)})
		done <- err
	}()
	return done
}
