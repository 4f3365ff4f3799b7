package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCurrent(t *testing.T) {
	files, err := generate("../..")
	require.NoError(t, err)
	require.Len(t, files, 3)
	for name, want := range files {
		have, err := os.ReadFile(filepath.Join("../../../docs", filepath.FromSlash(name)))
		require.NoError(t, err)
		require.Equal(t, string(want), string(have), "docs/%s is out of date; run go generate ./manifest", name)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, write("../..", dir))
	page, err := os.ReadFile(filepath.Join(dir, "manifest.md"))
	require.NoError(t, err)
	require.Contains(t, string(page), "| `restart.give_up` | integer, at least 1 | `5` |")
	require.FileExists(t, filepath.Join(dir, "schema", "supervisor.schema.json"))
}

func TestEveryKeyHasAMeaning(t *testing.T) {
	_, err := comments{}.schema("manifest", roots()["manifest"])
	require.ErrorContains(t, err, "has no doc comment to say what the key")
}
