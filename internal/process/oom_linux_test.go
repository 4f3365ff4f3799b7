package process

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStartedProcessHasAnOOMCounter(t *testing.T) {
	s := NewSpawner()
	defer s.Close()
	p, err := s.Start(Spec{Path: "/bin/sh", Args: []string{"-c", "kill -KILL $$"}})
	require.NoError(t, err)
	defer p.Reap()
	require.NotEmpty(t, p.oom.path, "Linux counts since 4.13")
	t.Log("counted in ", p.oom.path)
}
