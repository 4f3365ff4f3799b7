package manifest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ixtrun/ixt/manifest"
	"github.com/stretchr/testify/require"
)

// write makes a file below dir, and the directories to it.
func write(t *testing.T, dir, name, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), mode))
	return path
}

// The manifest of the first SDK's guide, as it stood there.
func TestFirstManifest(t *testing.T) {
	m, err := manifest.Load("testdata/first/manifest.toml")
	require.NoError(t, err)
	out, err := manifest.Resolve(m, manifest.NoOperator())
	require.NoError(t, err)
	require.Equal(t, "my-module:1.0.0", out.ID())
	require.Equal(t, []string{"my.service.process", "my.service.query"}, out.Provides.Services)
	require.Equal(t, map[string]any{"database_url": "sqlite:///data.db"}, out.Config)
	require.Equal(t, []string{"My IXT module", "Your Name", "MIT"}, []string{out.Description, out.Author, out.License})
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none.toml")
	_, err := manifest.Load(missing)
	require.EqualError(t, err, missing+": does not exist; check the path")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = manifest.LoadOperator(dir)
	require.EqualError(t, err, dir+": is a directory; name the file in it")
	_, err = manifest.LoadOperator(os.DevNull)
	require.EqualError(t, err, os.DevNull+": is not a regular file; name a file")
	large := write(t, dir, "large.toml", strings.Repeat("#\n", 1<<19)+"#", 0o644)
	_, err = manifest.Load(large)
	require.EqualError(t, err, large+": is larger than 1MiB; keep data in files of its own")
}

func TestLoadOperator(t *testing.T) {
	dir := t.TempDir()
	op, err := manifest.LoadOperator(write(t, dir, "supervisor.toml", "modules = [\".\"]", 0o644))
	require.NoError(t, err)
	require.Equal(t, []string{dir}, op.Modules)
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"one/manifest.toml", "one/inner/manifest.toml", "deep/er/two/manifest.toml",
		".hidden/manifest.toml", "x/node_modules/y/manifest.toml", "x/testdata/manifest.toml", "x/.venv/manifest.toml", "other.txt",
	} {
		write(t, dir, name, "", 0o644)
	}
	elsewhere := t.TempDir()
	write(t, elsewhere, "manifest.toml", "", 0o644)
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, "linked")))
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "x", "circle")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))

	in := func(names ...string) []string {
		for i := range names {
			names[i] = filepath.Join(dir, names[i])
		}
		return names
	}
	found, err := manifest.Find(dir)
	require.NoError(t, err)
	require.Equal(t, in("deep/er/two/manifest.toml", "linked/manifest.toml", "one/manifest.toml"), found)

	found, err = manifest.Find(filepath.Join(dir, "one"), filepath.Join(dir, "one", "manifest.toml"), filepath.Join(dir, "deep"))
	require.NoError(t, err)
	require.Equal(t, in("deep/er/two/manifest.toml", "one/manifest.toml"), found)

	t.Chdir(dir)
	found, err = manifest.Find("one", filepath.Join(dir, "one"))
	require.NoError(t, err)
	require.Equal(t, []string{"one/manifest.toml"}, found)

	_, err = manifest.Find(dir, filepath.Join(dir, "nowhere"))
	var failed *manifest.FindError
	require.ErrorAs(t, err, &failed)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualError(t, err, "module directory "+failed.Dir+" does not exist; name a directory with modules in it, or a manifest")
}

// A manifest with every table and its operator's file are taken as they stand, but for the secret that is not on this machine.
func TestEveryTable(t *testing.T) {
	m, err := manifest.Load("testdata/press/manifest.toml")
	require.NoError(t, err)
	op, err := manifest.LoadOperator("testdata/press/supervisor.toml")
	require.NoError(t, err)
	require.NoError(t, manifest.CheckOperator(op, []*manifest.Manifest{m}))
	_, err = manifest.Resolve(m, op)
	require.EqualError(t, err, "testdata/press/supervisor.toml:13:25: module.press-model.secrets.api_token: /run/credentials/press: does not exist; check the path")

	t.Setenv("PRESS_TOKEN", "hunter2")
	_, err = manifest.Resolve(m, op, manifest.Set{Module: "press-model", Key: "secrets.api_token.file", Text: os.DevNull})
	require.ErrorContains(t, err, "is not a regular file")

	out, err := manifest.Resolve(m, manifest.NoOperator(), manifest.Set{Module: "press-model", Key: "secrets.api_token.env", Text: "PRESS_TOKEN"})
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"limit": 5.0, "line": "L7", "dry_run": false, "odd key": int64(16), "api_token": "hunter2",
		"tags":    []any{"a", int64(1), map[string]any{"b": true}},
		"options": map[string]any{"deep": map[string]any{"er": []any{1.5}}},
	}, out.Config)
	require.Equal(t, manifest.After{Until: "ready", Restart: true}, out.After["plc"])
	for _, s := range out.Settings() {
		require.NotContains(t, s.Value, "hunter2")
	}
}
