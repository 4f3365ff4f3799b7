package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/manifest"
)

// engine says what stands behind the services of a supervisor of ours, and how it is called among others.
type engine struct {
	nats, credentials, listen, node string
}

func (e *engine) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&e.nats, "nats", "", "NATS server or cluster to keep events, keys and blobs in and to meet other nodes at, such as nats://bus-1:4222 (default an engine of our own)")
	flags.StringVar(&e.credentials, "nats-creds", "", "`file` with the credentials for --nats")
	flags.StringVar(&e.listen, "nats-listen", "", "`address` where our own engine lets others in, such as 127.0.0.1:4222 (default nobody)")
	flags.StringVar(&e.node, "node", "", "name of this node among others (default the machine's)")
	_ = cmd.MarkFlagFilename("nats-creds")
}

// check refuses empty values, which come from variables that are not set: an engine of our own is not what they were to be.
func (e *engine) check(cmd *cobra.Command) error {
	for _, name := range []string{"nats", "nats-creds", "nats-listen", "node"} {
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return usage(cmd, "--%s is empty; give it a value or leave it out", name)
		}
	}
	return nil
}

// open makes the engine that the flags and the operator's file ask for. Nothing is reached for yet.
func (e *engine) open(op *manifest.Operator) (*host.Host, error) {
	o := op.Engine
	if e.nats != "" { // what belongs to another server is not for this one
		o = manifest.OperatorEngine{NATS: e.nats, Node: o.Node}
	}
	if e.credentials != "" {
		o.Credentials = e.credentials
	}
	if e.listen != "" {
		o.Listen = e.listen
	}
	if e.node != "" {
		o.Node = e.node
	}
	return host.New(&host.Options{
		URL: o.NATS, Credentials: o.Credentials, NKey: o.NKey, CA: o.CA, Cert: o.Cert, Key: o.Key,
		Listen: o.Listen, Node: o.Node, Version: version(), KVSync: op.KV.Sync, KVBuckets: op.KV.Buckets,
	})
}

// cluster is an engine as the API of a supervisor wants it.
type cluster struct{ host *host.Host }

func (c cluster) Nodes() []admin.Node {
	nodes := []admin.Node{}
	for _, n := range c.host.Nodes() {
		nodes = append(nodes, admin.Node(n))
	}
	return nodes
}

func (c cluster) Forward(ctx context.Context, node string, r admin.NodeRequest) (status int, body []byte, err error) {
	return c.host.Forward(ctx, node, host.AdminRequest(r))
}
