package peer_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/bench/internal/peer"
	"github.com/ixtrun/ixt/bench/internal/profile"
	"github.com/ixtrun/ixt/bench/internal/program"
	"github.com/ixtrun/ixt/bench/internal/role"
)

func TestMain(m *testing.M) {
	role.Main(peer.Roles()) // the tests' own binary is the process at the other end
	os.Exit(m.Run())
}

// shortDir is a directory whose name leaves room for a socket.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "ixtbench")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// TestPeersEcho has every peer carry payloads to another process and back; load compares them.
func TestPeersEcho(t *testing.T) {
	programs, err := program.Build(t.Context(), shortDir(t))
	require.NoError(t, err)
	peers := []peer.Peer{
		peer.Raw(), peer.NetRPC(), peer.TTRPC(), peer.GRPC(), peer.NATS(), peer.Conn(),
		peer.Call(programs.Echo, profile.Wanted{}), peer.Routed(programs.Echo, profile.Wanted{}),
	}
	if _, err := exec.LookPath("python3"); err == nil {
		peers = append(peers, peer.Python())
	}
	for _, p := range peers {
		t.Run(p.Name, func(t *testing.T) {
			callers := 8
			if p.Name == peer.Raw().Name {
				callers = 1
			}
			running, err := p.Start(t.Context(), shortDir(t))
			require.NoError(t, err)
			for _, spec := range []load.Spec{
				{Size: 64, Callers: callers, For: 10 * time.Millisecond},
				{Size: 100_000, Callers: 1, For: 10 * time.Millisecond},
			} {
				r, err := running.Load(t.Context(), spec)
				require.NoError(t, err)
				require.Positive(t, r.PerSecond)
				require.Positive(t, r.P50)
				require.GreaterOrEqual(t, r.P99, r.P50)
			}
			require.NoError(t, running.Stop())
		})
	}
}

// TestPeersEndWithTheirContext cancels a load: it must end, and so must what it ran on.
func TestPeersEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	running, err := peer.Conn().Start(t.Context(), shortDir(t))
	require.NoError(t, err)
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = running.Load(ctx, load.Spec{Size: 64, Callers: 4, For: time.Hour})
	require.ErrorContains(t, err, "gave up")
	require.NoError(t, running.Stop())
}
