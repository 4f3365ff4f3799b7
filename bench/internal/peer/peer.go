// Package peer has everything that is measured: ways to call an echo in another process. Each is in a file of its own, with
// both of its ends.
package peer

import (
	"context"
	"errors"
	"net"
	"path/filepath"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/bench/internal/role"
)

// Peer is one way to call an echo in another process.
type Peer struct {
	Name string
	// Start brings the processes up and returns when the echo can be called. dir is an empty directory with a short path.
	Start func(ctx context.Context, dir string) (*Running, error)
}

// Running is a peer that has been started.
type Running struct {
	// Load calls the echo; the callers are in this process, unless the peer's way begins in another.
	Load func(context.Context, load.Spec) (load.Result, error)
	Stop func() error
}

// from is a Load whose callers are in this process.
func from(call load.Call) func(context.Context, load.Spec) (load.Result, error) {
	return func(ctx context.Context, spec load.Spec) (load.Result, error) { return load.Run(ctx, call, spec) }
}

// Roles are the processes at the other ends, by name.
func Roles() map[string]role.Func {
	return map[string]role.Func{
		raw:           serveRaw,
		netRPC:        serveNetRPC,
		ttRPC:         serveTTRPC,
		gRPC:          serveGRPC,
		conn:          serveConn,
		natsResponder: serveNATS,
		natsRequester: driveNATS,
	}
}

// overSocket is a peer whose server is a role of its name that listens on a Unix socket.
func overSocket(name string, connect func(net.Conn) (load.Call, func() error, error)) Peer {
	return Peer{Name: name, Start: func(ctx context.Context, dir string) (*Running, error) {
		socket := filepath.Join(dir, "s")
		server, err := role.Start(ctx, name, socket)
		if err != nil {
			return nil, err
		}
		stream, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, errors.Join(err, server.Stop())
		}
		call, hangUp, err := connect(stream)
		if err != nil {
			return nil, errors.Join(err, stream.Close(), server.Stop())
		}
		return &Running{Load: from(call), Stop: func() error { return errors.Join(hangUp(), server.Stop()) }}, nil
	}}
}

// listen takes the socket of a role; a connection is accepted from then on.
func listen(socket string, ready func()) (net.Listener, error) {
	l, err := net.Listen("unix", socket)
	if err == nil {
		ready()
	}
	return l, err
}
