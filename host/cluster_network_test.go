package host_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// cable joins this network namespace to another one. It can be pulled.
type cable struct {
	t     *testing.T
	name  string // of the namespace, and of this end
	local string // address of this end
}

// newCable skips the test where no network namespaces can be made.
func newCable(t *testing.T) *cable {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("there is no command ip")
	}
	c := &cable{t: t, name: fmt.Sprintf("ixt%d", os.Getpid()), local: fmt.Sprintf("169.254.%d.", 1+rand.IntN(253))}
	if out, err := exec.Command("ip", "netns", "add", c.name).CombinedOutput(); err != nil {
		t.Skipf("a network namespace cannot be made here: %s", out)
	}
	t.Cleanup(func() { c.ip("netns", "del", c.name) })
	remote := c.local + "2/30"
	c.local += "1"
	if out, err := exec.Command("ip", "link", "add", c.name, "type", "veth", "peer", "name", "eth0", "netns", c.name).CombinedOutput(); err != nil {
		t.Skipf("a pair of network devices cannot be made here: %s", out)
	}
	c.ip("addr", "add", c.local+"/30", "dev", c.name)
	c.ip("link", "set", c.name, "up")
	c.ip("-n", c.name, "addr", "add", remote, "dev", "eth0")
	c.ip("-n", c.name, "link", "set", "eth0", "up")
	return c
}

func (c *cable) ip(args ...string) {
	out, err := exec.Command("ip", args...).CombinedOutput()
	require.NoError(c.t, err, "%s", out)
}

func (c *cable) pull() time.Time {
	c.ip("-n", c.name, "link", "set", "eth0", "down")
	return time.Now()
}

func (c *cable) plug() time.Time {
	c.ip("-n", c.name, "link", "set", "eth0", "up")
	return time.Now()
}

func TestNodeIsCutOff(t *testing.T) {
	wire := newCable(t)
	s, d := newServer(t, "-a", wire.local), newDiary(t)
	a, b := newNode(t, s, "a"), newNode(t, s, "b")
	b.witness("work", exportAll)
	d.give(b)
	d.give(a)
	apart := b.startApart("ip", "netns", "exec", wire.name)
	require.Equal(t, "b", d.await(1))
	a.start()
	a.sees("b", "work.do")
	a.await("for the lease, which node b has")
	held := a.sendOff(supervisor.Message{Topic: "work.do", Payload: []byte("hold")})
	a.awaitHeld(1)

	cut := wire.pull()
	r := <-held
	requireError(t, r.err, ipc.CodeModuleGone, ipc.Unknown)
	t.Logf("cut off: a call ended after %s", r.at.Sub(cut))
	require.Less(t, r.at.Sub(cut), 6*time.Second)
	_, err := a.send(supervisor.Message{Topic: "work.do"})
	requireError(t, err, ipc.CodeNoProvider, ipc.NotDelivered)
	apart.await("its lease is lost", 1)
	apart.await("one/001 waiting: for the lease", 1)
	require.Equal(t, "a", d.await(2))
	t.Logf("cut off: the singleton moved within %s", time.Since(cut))

	back := wire.plug()
	a.sees("b", "work.do")
	t.Logf("back: seen after %s", time.Since(back))
	for range 10 {
		_, err = a.send(supervisor.Message{Topic: "work.do"})
		require.NoError(t, err)
	}
	apart.await("for the lease, which node a has", 1)
	require.Len(t, d.lines(), 2)
}
