package supervisor

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A module that is stopped between Up and its start stays stopped.
func TestStopBeforeTheStart(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.toml"), []byte(`schema_version = "3.0"
[module]
name = "sleeper"
version = "1.0.0"
[artifacts.process]
path = "/bin/sleep"
args = ["60"]
protocol = "none"
`), 0o644))
	s, err := New(&Options{Dirs: []string{dir}})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error)
	s.journal.mu.Lock() // keeps Run from going on beyond Up
	go func() { ran <- s.Run(ctx) }()
	<-s.Up()
	require.NoError(t, s.Stop(ctx, "sleeper"))
	s.journal.mu.Unlock()
	stop()
	require.NoError(t, <-ran)
	for e := range s.Journal().Follow(t.Context(), 0) {
		require.Empty(t, e.Module, e)
	}
}
