package tests

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// gate is where a module announces that it has got somewhere, and waits to be let through. Its path travels as a payload.
type gate struct {
	t        *testing.T
	path     string
	listener *net.UnixListener
}

func newGate(t *testing.T) *gate {
	dir, err := os.MkdirTemp("", "ixt")
	require.NoError(t, err)
	g := &gate{t: t, path: filepath.Join(dir, "gate")}
	g.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: g.path, Net: "unix"})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = g.listener.Close()
		_ = os.RemoveAll(dir)
	})
	return g
}

// arrival waits until a module stands at the gate.
func (g *gate) arrival() *arrival {
	require.NoError(g.t, g.listener.SetDeadline(time.Now().Add(patience)))
	conn, err := g.listener.Accept()
	require.NoError(g.t, err)
	g.t.Cleanup(func() { _ = conn.Close() })
	return &arrival{g.t, conn}
}

type arrival struct {
	t    *testing.T
	conn net.Conn
}

// pass lets the module through.
func (a *arrival) pass() {
	_, err := a.conn.Write([]byte{1})
	require.NoError(a.t, err)
}

// gone waits until the module's end of the gate is closed: the process is dead, or through.
func (a *arrival) gone() {
	_, _ = a.conn.Read(make([]byte, 1))
}

// stays makes sure that the module stands at the gate for a while yet.
func (a *arrival) stays() {
	require.NoError(a.t, a.conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := a.conn.Read(make([]byte, 1))
	require.ErrorIs(a.t, err, os.ErrDeadlineExceeded)
}

// standAt announces a module at the gate and waits until it may pass; it reports whether it was let through.
func standAt(path string) bool {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	defer conn.Close()
	n, _ := conn.Read(make([]byte, 1))
	return n == 1
}

// in puts the gate's path where a role says GATE.
func (g *gate) in(role string) string { return strings.Replace(role, "GATE", g.path, 1) }
