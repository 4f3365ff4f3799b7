package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/supervisor"
)

// diary is what the instances of a singleton have written, one line each.
type diary struct {
	t    *testing.T
	file string
}

func newDiary(t *testing.T) *diary { return &diary{t, filepath.Join(t.TempDir(), "diary")} }

// give gives a node the singleton.
func (d *diary) give(r *rig) {
	r.addRole("one", "single "+d.file+" "+r.options.Node, "[services.\"one.mode\"]\nexport = true\n[scale]\nsingleton = true\n")
}

func (d *diary) lines() []string {
	text, err := os.ReadFile(d.file)
	if os.IsNotExist(err) || len(text) == 0 {
		return nil
	}
	require.NoError(d.t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.NotContains(d.t, string(text), "TWICE")
	return lines
}

// await waits for the n-th instance and returns where it runs.
func (d *diary) await(n int) string {
	require.Eventually(d.t, func() bool { return len(d.lines()) >= n }, patience, 10*time.Millisecond)
	require.Len(d.t, d.lines(), n)
	return d.lines()[n-1]
}

func TestSingletonMoves(t *testing.T) {
	t.Parallel()
	s, d := newServer(t), newDiary(t)
	a, b, c := newNode(t, s, "a"), newNode(t, s, "b"), newNode(t, s, "c")
	for _, r := range []*rig{a, b, c} {
		d.give(r)
	}
	a.start()
	require.Equal(t, "a", d.await(1))
	b.start()
	b.await("for the lease, which node a has")
	b.sees("a", "one.mode")
	_, err := b.Call(b.ctx, supervisor.Message{Topic: "one.mode"})
	require.NoError(t, err, "who waits for the lease calls who has it")

	require.NoError(t, a.Restart(a.ctx, "one"))
	require.Equal(t, "a", d.await(2), "a restart does not move it")
	require.NoError(t, b.Restart(b.ctx, "one"))

	begun := time.Now()
	a.halt()
	require.Equal(t, "b", d.await(3))
	t.Logf("orderly: moved within %s", time.Since(begun))
	require.Less(t, time.Since(begun), 5*time.Second)
	b.halt()
	doomed := c.startApart()
	require.Equal(t, "c", d.await(4))

	e := newNode(t, s, "e")
	d.give(e)
	e.start()
	e.await("for the lease, which node c has")
	begun = doomed.kill()
	require.Equal(t, "e", d.await(5))
	t.Logf("killed: moved within %s", time.Since(begun))
	require.Less(t, time.Since(begun), 15*time.Second)
	require.Greater(t, time.Since(begun), 6*time.Second)
}

func TestSingletonEndsWithoutTheServer(t *testing.T) {
	t.Parallel()
	s, d := newServer(t), newDiary(t)
	a := newNode(t, s, "a")
	a.addRole("one", "single "+d.file+" a stubborn", "[scale]\nsingleton = true\n[stop]\nshutdown = \"8s\"\nterm = \"1s\"\n")
	a.start()
	require.Equal(t, "a", d.await(1))
	begun := time.Now()
	s.stop()
	lost := a.await("its lease is lost")
	require.InDelta(t, 5, lost.Time.Sub(begun).Seconds(), 1.5)
	waiting := a.await("waiting: for the lease")
	require.Less(t, waiting.Time.Sub(lost.Time), 4*time.Second, "it has ended before anybody else may start one")
	s.start()
	require.Equal(t, "a", d.await(2))
}
