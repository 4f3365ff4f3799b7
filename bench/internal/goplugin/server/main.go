// Server is the plugin's process.
package main

import (
	"io"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/ixtrun/ixt/bench/internal/goplugin"
)

func main() {
	go func() { // a plugin would outlive a host that is killed
		_, _ = io.Copy(io.Discard, os.NewFile(3, "life"))
		os.Exit(1)
	}()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: goplugin.Handshake(),
		Plugins:         goplugin.Set(),
		GRPCServer:      plugin.DefaultGRPCServer,
		Logger:          hclog.NewNullLogger(),
	})
}
