package host

import (
	"context"
	"net/http"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// A Host is what a supervisor needs to be one of several.
var (
	_ supervisor.Engine = (*Host)(nil)
	_ supervisor.Remote = (*Host)(nil)
	_ supervisor.Leases = (*Host)(nil)
)

// Node is the name of this supervisor among those on its NATS server.
func (h *Host) Node() string { return h.cluster.node }

// Provides reports whether another node, or the named one, offers the topic, by what their heartbeats say. It asks nobody.
func (h *Host) Provides(topic, node string) bool { return h.cluster.provides(topic, node) }

// Call sends a call to another node: docs/cluster.md, "How a call finds its way".
func (h *Host) Call(ctx context.Context, c supervisor.RemoteCall) (ipc.Data, error) {
	return h.cluster.call(ctx, c)
}

// Hold waits until this supervisor is the only one on its NATS server that has the lease; alone, it has every lease at once and for
// good. See supervisor.Leases.
func (h *Host) Hold(ctx context.Context, name string, waiting func(why string)) (lost <-chan struct{}, release func(), err error) {
	return h.cluster.hold(ctx, name, waiting)
}

// Nodes are the supervisors on the NATS server, this one first, then the longest there first, and then those that have been heard within the
// last hour and are there no more, 256 at most. Without others it is this one alone.
func (h *Host) Nodes() []NodeStatus { return h.cluster.nodes() }

// Administer lets other nodes use handler, the HTTP API of this supervisor: whoever may publish on the NATS server's subject
// ixt.node.NAME.admin can do everything that it offers. Default: nobody can. It may be called at any time.
func (h *Host) Administer(handler http.Handler) {
	h.cluster.mu.Lock()
	defer h.cluster.mu.Unlock()
	h.cluster.admin = handler
}

// Forward has a node's HTTP API answer a request, of at most 512 KiB each way; a stream ends with what it has to begin with. status and
// body are what that API answers, an error of its own too. The error is an *ipc.Error: there is no such node (NO_PROVIDER), or it is
// not known what became of the request.
func (h *Host) Forward(ctx context.Context, node string, r AdminRequest) (status int, body []byte, err error) {
	return h.cluster.forward(ctx, node, r)
}
