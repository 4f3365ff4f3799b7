package manifest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/ixtrun/ixt/manifest"
	"github.com/stretchr/testify/require"
)

// moduleIn is a module called press-model with a manifest in a directory of its own.
func moduleIn(t *testing.T, process string) *manifest.Module {
	t.Helper()
	path := write(t, t.TempDir(), "manifest.toml", `schema_version = "3.0"
module = { name = "press-model", version = "1.0.0" }
[artifacts.process]
`+process, 0o644)
	m, err := manifest.Load(path)
	require.NoError(t, err)
	out, err := manifest.Resolve(m, manifest.NoOperator())
	require.NoError(t, err)
	return out
}

// Paths in want are relative to the manifest; bin is a directory in PATH with an executable python3 and press.
func TestCommand(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"python3", "press"} {
		write(t, bin, name, "", 0o755)
	}
	write(t, bin, "plain", "", 0o644)
	t.Setenv("PATH", bin+":relative")
	for _, c := range []struct {
		name, process string
		files         map[string]os.FileMode
		path          string
		args          []string
		dir           string
	}{
		{"path beside the manifest", `path = "press"`, map[string]os.FileMode{"press": 0o755}, "DIR/press", nil, "DIR"},
		{"path below", `path = "bin/press"` + "\n" + `args = ["-v"]`, map[string]os.FileMode{"bin/press": 0o755}, "DIR/bin/press", []string{"-v"}, "DIR"},
		{"path in PATH", `path = "press"`, nil, "BIN/press", nil, "DIR"},
		{"interpreter in PATH", "interpreter = \"python3\"\nentry = \"a.py\"\nargs = [\"-v\"]", map[string]os.FileMode{"a.py": 0o644}, "BIN/python3", []string{"DIR/a.py", "-v"}, "DIR"},
		{"interpreter below", "interpreter = \".venv/bin/python\"\nentry = \"src/a.py\"", map[string]os.FileMode{"src/a.py": 0o644, ".venv/bin/python": 0o755}, "DIR/.venv/bin/python", []string{"DIR/src/a.py"}, "DIR"},
		{"workdir", "path = \"press\"\nworkdir = \"data\"", map[string]os.FileMode{"press": 0o755, "data/x": 0o644}, "DIR/press", nil, "DIR/data"},
		{"executable called like the module", "", map[string]os.FileMode{"press-model": 0o755, "main.py": 0o644}, "DIR/press-model", nil, "DIR"},
		{"script called like the module", "", map[string]os.FileMode{"press_model.py": 0o644, "main.py": 0o644}, "BIN/python3", []string{"DIR/press_model.py"}, "DIR"},
		{"main.py, package of the same name", "", map[string]os.FileMode{"press-model/__init__.py": 0o644, "main.py": 0o644}, "BIN/python3", []string{"DIR/main.py"}, "DIR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := moduleIn(t, c.process)
			for name, mode := range c.files {
				write(t, m.Dir, name, "", mode)
			}
			expand := strings.NewReplacer("DIR", m.Dir, "BIN", bin).Replace
			got, err := m.Command()
			require.NoError(t, err)
			require.Equal(t, expand(c.path), got.Path)
			require.Equal(t, expand(c.dir), got.Dir)
			require.Len(t, got.Args, len(c.args))
			for i := range c.args {
				require.Equal(t, expand(c.args[i]), got.Args[i])
			}
		})
	}
}

func TestEntryErrors(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, c := range []struct {
		name, process string
		files         map[string]os.FileMode
		want          string
	}{
		{"nothing there", "", nil, `no program: none is named in DIR/manifest.toml, and none of press-model, press_model.py, main.py is beside it; paste one of these into the manifest:

[artifacts.process]
path = "./press-model"

[artifacts.process]
interpreter = "python3"
entry = "press_model.py"
`},
		{"missing", `path = "./press"`, nil, "DIR/press does not exist; put it there, or correct [artifacts.process] in DIR/manifest.toml"},
		{"not built", "path = \"press\"\nbuild = [\"go\", \"build\"]", nil, "DIR/press does not exist; build it with --build, or in DIR: go build"},
		{"no exec bit", `path = "press"`, map[string]os.FileMode{"press": 0o644}, "DIR/press is not executable; chmod +x DIR/press"},
		{"no exec bit on the default", "", map[string]os.FileMode{"press-model": 0o644}, "DIR/press-model is not executable; chmod +x DIR/press-model"},
		{"directory", `path = "press"`, map[string]os.FileMode{"press/x": 0o644}, "DIR/press is a directory; name the file in it in DIR/manifest.toml"},
		{"no interpreter in PATH", "interpreter = \"node\"\nentry = \"a.js\"", map[string]os.FileMode{"a.js": 0o644}, `interpreter "node" is not in PATH; install it, or write its path as interpreter in DIR/manifest.toml`},
		{"no python for the default", "", map[string]os.FileMode{"main.py": 0o644}, `interpreter "python3" is not in PATH; install it, or write its path as interpreter in DIR/manifest.toml`},
		{"no venv", "interpreter = \".venv/bin/python\"\nentry = \"a.py\"", map[string]os.FileMode{"a.py": 0o644}, "interpreter DIR/.venv/bin/python does not exist; make it: python3 -m venv DIR/.venv"},
		{"no such interpreter", "interpreter = \"./run\"\nentry = \"a.py\"", map[string]os.FileMode{"a.py": 0o644}, "interpreter DIR/run does not exist; install it, or write another interpreter in DIR/manifest.toml"},
		{"interpreter without exec bit", "interpreter = \"./run\"\nentry = \"a.py\"", map[string]os.FileMode{"a.py": 0o644, "run": 0o644}, "interpreter DIR/run is not executable; chmod +x DIR/run"},
		{"no entry", "interpreter = \"python3\"\nentry = \"a.py\"", nil, "DIR/a.py does not exist; put it there, or correct [artifacts.process] in DIR/manifest.toml"},
		{"workdir", "path = \"press\"\nworkdir = \"data\"", map[string]os.FileMode{"press": 0o755}, "workdir DIR/data is not a directory; create it, or write another workdir in DIR/manifest.toml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := moduleIn(t, c.process)
			for name, mode := range c.files {
				write(t, m.Dir, name, "", mode)
			}
			_, err := m.Command()
			var entry *manifest.EntryError
			require.ErrorAs(t, err, &entry)
			require.EqualError(t, err, "press-model: "+strings.ReplaceAll(c.want, "DIR", m.Dir))
		})
	}
}

func TestNeedsBuild(t *testing.T) {
	for process, artifact := range map[string]string{
		"path = \"out/press\"\nbuild = [\"make\"]":                          "out/press",
		"build = [\"make\"]":                                                "press-model",
		"interpreter = \"node\"\nentry = \"dist/a.js\"\nbuild = [\"make\"]": "dist/a.js",
	} {
		m := moduleIn(t, process)
		require.True(t, m.NeedsBuild(), process)
		write(t, m.Dir, artifact, "", 0o755)
		require.False(t, m.NeedsBuild(), process)
	}
	require.False(t, moduleIn(t, `path = "press"`).NeedsBuild(), "it does not say how")
}

func TestVerifyDigests(t *testing.T) {
	m := moduleIn(t, `digests = { "a.txt" = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "b.txt" = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" }`)
	write(t, m.Dir, "a.txt", "abc", 0o644)
	err := m.VerifyDigests()
	require.ErrorIs(t, err, os.ErrNotExist)
	require.EqualError(t, err, strings.ReplaceAll(`DIR/manifest.toml:4:108: artifacts.process.digests."b.txt": open DIR/b.txt: no such file or directory; restore the file`, "DIR", m.Dir))
	write(t, m.Dir, "b.txt", "", 0o644)
	require.EqualError(t, m.VerifyDigests(), strings.ReplaceAll(`DIR/manifest.toml:4:108: artifacts.process.digests."b.txt": the file has sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, the manifest says sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad; restore the file, or write the new digest if the change is meant`, "DIR", m.Dir))
	write(t, m.Dir, "b.txt", "abc", 0o644)
	require.NoError(t, m.VerifyDigests())
}

func TestCommandInItsOwnPath(t *testing.T) {
	bin := t.TempDir()
	write(t, bin, "tool", "", 0o755)
	t.Setenv("PATH", t.TempDir())
	c, err := moduleIn(t, "path = \"tool\"\nenv = { PATH = \"/nowhere:"+bin+"\" }").Command()
	require.NoError(t, err)
	require.Equal(t, bin+"/tool", c.Path)
}
