package host_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// node is what a supervisor knows of another one; nil: nothing.
func (r *rig) node(name string) *host.NodeStatus {
	for _, n := range r.host.Nodes() {
		if n.Node == name {
			return &n
		}
	}
	return nil
}

// awaitNode waits until another node is there, or not any more.
func (r *rig) awaitNode(name, gone string) *host.NodeStatus {
	var n *host.NodeStatus
	require.Eventually(r.t, func() bool {
		n = r.node(name)
		return n != nil && n.Gone == gone
	}, patience, 10*time.Millisecond, "node %s should be %q", name, gone)
	return n
}

func TestNodesThatWereThereAreRemembered(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a, b := newNode(t, s, "a"), newNode(t, s, "b")
	b.witness("work", exportDo)
	a.start()
	doomed := b.startApart()
	a.sees("b", "work.do")
	doomed.kill()
	n := a.awaitNode("b", host.NodeGone)
	require.GreaterOrEqual(t, time.Since(n.Heard), 3*time.Second)
	require.Empty(t, n.Topics)
	require.False(t, a.host.Provides("work.do", "b"))
	_, _, err := a.host.Forward(a.ctx, "b", host.AdminRequest{})
	require.Contains(t, requireCode(t, err, ipc.CodeNoProvider).Message, "it was last seen ")
	require.InDelta(t, 1, a.measure()[`ixt_cluster_nodes{state="gone"}`], 0)

	b.state += "2"
	b.start()
	require.Equal(t, map[string][]string{"work.do": {"work:1.0.0"}}, a.awaitTopics("b"))
	require.Len(t, a.host.Nodes(), 2, "it is there, and not gone beside that")
	b.halt()
	a.awaitNode("b", host.NodeStopped)
}

// heart publishes heartbeats of nodes, whose other members are given.
func heart(t *testing.T, s *server) func(node, members string) {
	conn, err := nats.Connect(s.url())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return func(node, members string) {
		require.NoError(t, conn.Publish("ixt.node."+node+".alive", []byte(`{"node":"`+node+`",`+members+`}`)))
	}
}

// requireTaken checks which node answered a call, and at which attempt.
func requireTaken(t *testing.T, r result, node string, attempt int) {
	t.Helper()
	require.NoError(t, r.err)
	require.Equal(t, node, r.saw.Node)
	require.Equal(t, attempt, r.saw.Context.Attempt)
}

// awaitTopics waits until a node offers something.
func (r *rig) awaitTopics(node string) (topics map[string][]string) {
	require.Eventually(r.t, func() bool {
		n := r.node(node)
		if n != nil {
			topics = n.Topics
		}
		return n != nil && n.Gone == "" && len(topics) > 0
	}, patience, 10*time.Millisecond)
	return topics
}

// Of many nodes that come and go the latest are remembered.
func TestNodesAreRememberedWithinBounds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a := newNode(t, s, "a")
	a.start()
	publish := heart(t, s)
	beat := func(node, state string) { publish(node, `"id":"`+node+`",`+state) }
	require.Eventually(t, func() bool { // heartbeats may come before anybody listens
		beat("first", `"serving":true`)
		return a.node("first") != nil
	}, patience, 50*time.Millisecond)
	beat("first", `"leaving":true`)
	for n := range 300 {
		node := fmt.Sprintf("n%d", n)
		beat(node, `"serving":true`)
		beat(node, `"leaving":true`)
	}
	a.awaitNode("n299", host.NodeStopped)
	require.Len(t, a.host.Nodes(), 1+256)
	require.Nil(t, a.node("n43"))
	require.NotNil(t, a.node("n44"))
}

// twice is of a module whose calls may be handled twice.
const twice = "[services.\"work.next\"]\nexport = true\nidempotent = true\n[services.\"work.count\"]\nexport = true\n"

// A call whose only provider is gone is given to one that comes within its time, if that does no harm.
func TestCallIsTakenOnByANodeThatComesLater(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a, b, c := newNode(t, s, "a"), newNode(t, s, "b"), newNode(t, s, "c")
	b.witness("work", twice)
	c.witness("work", twice)
	a.start()
	doomed := b.startApart()
	a.sees("b", "work.next")
	unlimited := make(chan error, 1)
	m := supervisor.Message{Topic: "work.next", Payload: []byte("hold once")}
	out := a.sendOff(m) // within a's patience
	go func() {
		_, err := a.Call(context.Background(), m)
		unlimited <- err
	}()
	a.awaitHeld(2)
	doomed.kill()
	requireError(t, <-unlimited, ipc.CodeModuleGone, ipc.Unknown) // it might wait for ever
	a.awaitNode("b", host.NodeGone)
	c.start()
	requireTaken(t, <-out, "c", 2)
}

// ... and to this node, when a module here becomes ready within its time.
func TestCallComesHomeWhenItsNodeDies(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a, b := newNode(t, s, "a"), newNode(t, s, "b")
	a.witness("work", twice)
	b.witness("work", twice)
	a.start()
	<-a.Up()
	require.NoError(t, a.Stop(a.ctx, "work"))
	doomed := b.startApart()
	a.sees("b", "work.next")
	out := a.sendOff(supervisor.Message{Topic: "work.next", Payload: []byte("hold once"), TTL: patience})
	a.awaitHeld(1)
	doomed.kill()
	a.awaitNode("b", host.NodeGone)
	require.NoError(t, a.Start("work"))
	requireTaken(t, <-out, "a", 2)
}

// A node that is gone without anybody having noticed holds a call up until another one comes, or the call's time is over.
func TestCallToANodeThatIsNotThereAnyMore(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a, b := newNode(t, s, "a"), newNode(t, s, "b")
	b.witness("work", exportDo)
	a.start()
	publish := heart(t, s)
	ghost := func() { publish("ghost", `"id":"g","serving":true,"topics":{"work.do":{"modules":["work:1.0.0"]}}`) }
	require.Eventually(t, func() bool { // heartbeats may come before anybody listens
		ghost()
		return a.host.Provides("work.do", "ghost")
	}, patience, 50*time.Millisecond)
	_, err := a.send(supervisor.Message{Topic: "work.do", TTL: 50 * time.Millisecond})
	requireError(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
	ghost()
	out := a.sendOff(supervisor.Message{Topic: "work.do", TTL: patience})
	b.start()
	requireTaken(t, <-out, "b", 1)
}

// What was killed and is there again at once is not said to be gone.
func TestNodeIsRestartedAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a := newNode(t, s, "a")
	a.start()
	publish := heart(t, s)
	beat := func(id, started string) { publish("b", `"id":"`+id+`","serving":true,"started":"`+started+`"`) }
	require.Eventually(t, func() bool { // heartbeats may come before anybody listens
		beat("1", "2026-01-01T00:00:00Z")
		return a.node("b") != nil
	}, patience, 50*time.Millisecond)
	there := a.await("node b is there")
	beat("2", "2026-01-02T00:00:00Z")
	there = a.awaitAfter(there.Seq, "node b is there")
	require.Eventually(t, func() bool {
		beat("2", "2026-01-02T00:00:00Z")
		return strings.Contains(a.story(), "node b was started anew: the process before is gone")
	}, patience, 100*time.Millisecond)
	require.NotContains(t, a.story(), "node b is gone")
}
