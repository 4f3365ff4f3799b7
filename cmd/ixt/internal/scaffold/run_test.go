package scaffold_test

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ixtrun/ixt/cmd/ixt/internal/scaffold"
	"github.com/ixtrun/ixt/manifest"
	"github.com/stretchr/testify/require"
)

// A new Go module builds and passes its test with nothing but the module cache of the checkout it is built against, even
// under a name that Go itself has.
func TestGoModuleBuildsAndPassesItsTest(t *testing.T) {
	for _, name := range []string{"press-model", "log"} {
		t.Run(name, func(t *testing.T) {
			made, err := scaffold.Create(t.TempDir(), name, scaffold.Go, scaffold.Running())
			require.NoError(t, err)
			for _, file := range []string{"main.go", "main_test.go"} {
				text, err := os.ReadFile(filepath.Join(made.Dir, file))
				require.NoError(t, err)
				formatted, err := format.Source(text)
				require.NoError(t, err)
				require.Equal(t, string(formatted), string(text))
			}

			offline := []string{"GOPROXY=off", "GOWORK=off", "GOFLAGS="}
			run(t, made.Dir, offline, "go", "vet", "./...")
			run(t, made.Dir, offline, "go", "test", "./...")

			m, err := manifest.Load(filepath.Join(made.Dir, "manifest.toml"))
			require.NoError(t, err)
			run(t, made.Dir, offline, m.Process.Build...)
			info, err := os.Stat(filepath.Join(made.Dir, m.Process.Path))
			require.NoError(t, err)
			require.NotZero(t, info.Mode()&0o100, "it is executable")
		})
	}
}

// A new Python module passes its test with nothing installed, even under a name that would hide a part of Python.
func TestPythonModulePassesItsTest(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("needs python3 in PATH")
	}
	for _, name := range []string{"press-model", "queue", "class", "ixt-process-module", "test"} {
		t.Run(name, func(t *testing.T) {
			made, err := scaffold.Create(t.TempDir(), name, scaffold.Python, scaffold.Options{})
			require.NoError(t, err)
			isolated := []string{"PYTHONPATH=", "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1"}
			require.Contains(t, run(t, made.Dir, isolated, "python3", "-m", "unittest"), "Ran 3 tests")
		})
	}
}

// run runs a command in dir and returns all it wrote.
func run(t *testing.T, dir string, env []string, argv ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%v\n%s", argv, out)
	return string(out)
}
