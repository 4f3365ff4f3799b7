// Package goplugin is the smallest plugin of hashicorp/go-plugin over gRPC: what both ends must agree on.
package goplugin

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Handshake lets the host and the plugin recognise each other.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "IXT_BENCH_PLUGIN", MagicCookieValue: "echo"}
}

// Set is what the plugin offers.
func Set() plugin.PluginSet { return plugin.PluginSet{"echo": &echo{}} }

// echo offers nothing beside go-plugin's own health service: only its start is measured.
type echo struct{ plugin.NetRPCUnsupportedPlugin }

func (*echo) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (*echo) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}
