package process_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/process"
)

func TestPeer(t *testing.T) {
	socket := filepath.Join(shortDir(t), "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	require.NoError(t, err)
	defer listener.Close()
	require.NoError(t, listener.SetDeadline(time.Now().Add(bound)))

	s := newSpawner(t)
	direct := role(t, "dial", socket)
	behind := direct
	behind.Path, behind.Args = "/bin/sh", []string{"-c", `"$0" "$1" & wait`, direct.Path, socket}
	for name, spec := range map[string]process.Spec{"the process itself": direct, "its child": behind} {
		t.Run(name, func(t *testing.T) {
			p := start(t, s, spec)
			conn, err := listener.AcceptUnix()
			require.NoError(t, err)
			defer conn.Close()
			peer, err := process.PeerOf(conn)
			require.NoError(t, err)

			require.Equal(t, os.Getuid(), peer.UID)
			require.Equal(t, os.Getgid(), peer.GID)
			require.Equal(t, name == "the process itself", peer.PID == p.PID())
			require.True(t, process.Descends(peer.PID, p.PID()))
			require.True(t, process.Descends(peer.PID, os.Getpid()))
			require.Equal(t, peer.PID == p.PID(), process.Descends(p.PID(), peer.PID))

			require.NoError(t, conn.SetReadDeadline(time.Now().Add(-time.Second)))
			_, err = conn.Read(make([]byte, 1))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded, "the connection still has deadlines: it was not made blocking")
		})
	}
}

func TestPeerOfAClosedConnection(t *testing.T) {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(shortDir(t), "s"), Net: "unix"})
	require.NoError(t, err)
	defer listener.Close()
	conn, err := net.DialUnix("unix", nil, listener.Addr().(*net.UnixAddr))
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	_, err = process.PeerOf(conn)
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestDescends(t *testing.T) {
	s := newSpawner(t)
	one, other := start(t, s, shell("sleep 1000")), start(t, s, shell("sleep 1000"))
	me := os.Getpid()
	for _, c := range []struct {
		name          string
		pid, ancestor int
		want          bool
	}{
		{"itself", me, me, true},
		{"child", one.PID(), me, true},
		{"parent", me, os.Getppid(), true},
		{"upwards", me, one.PID(), false},
		{"siblings", one.PID(), other.PID(), false},
		{"nobody", 0, 0, false},
		{"negative", -1, -1, false},
		{"no such process", 1 << 30, me, false},
	} {
		require.Equal(t, c.want, process.Descends(c.pid, c.ancestor), c.name)
	}
}
