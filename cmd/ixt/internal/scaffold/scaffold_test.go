package scaffold_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ixtrun/ixt/cmd/ixt/internal/scaffold"
	"github.com/ixtrun/ixt/manifest"
	"github.com/stretchr/testify/require"
)

func TestCreate(t *testing.T) {
	checkout := scaffold.Running().Source
	tests := map[string]struct {
		name  string
		lang  scaffold.Language
		opts  scaffold.Options
		files []string
		test  string
	}{
		"go, against a checkout": {"press", scaffold.Go, scaffold.Options{Source: checkout},
			[]string{".gitignore", "go.mod", "go.sum", "main.go", "main_test.go", "manifest.toml"}, "go test ./..."},
		"go, against a published version": {"press", scaffold.Go, scaffold.Options{Version: "v1.2.3"},
			[]string{".gitignore", "go.mod", "main.go", "main_test.go", "manifest.toml"}, "go mod tidy && go test ./..."},
		"go, whatever is the latest": {"press", scaffold.Go, scaffold.Options{},
			[]string{".gitignore", "go.mod", "main.go", "main_test.go", "manifest.toml"}, "go mod tidy && go test ./..."},
		"python": {"press", scaffold.Python, scaffold.Options{},
			[]string{".gitignore", "ixt_process_module.py", "manifest.toml", "press.py", "test_press.py"}, "python3 -m unittest"},
		"python, a name with a hyphen": {"press-model", scaffold.Python, scaffold.Options{},
			[]string{".gitignore", "ixt_process_module.py", "manifest.toml", "press_model.py", "test_press_model.py"}, "python3 -m unittest"},
		"python, a name that Python has": {"json", scaffold.Python, scaffold.Options{},
			[]string{".gitignore", "ixt_process_module.py", "main.py", "manifest.toml", "test_main.py"}, "python3 -m unittest"},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			t.Chdir(t.TempDir())
			made, err := scaffold.Create(".", test.name, test.lang, test.opts)
			require.NoError(t, err)
			require.Equal(t, &scaffold.Result{
				Dir:   test.name,
				Files: test.files,
				Next: []string{"ixt run " + test.name, "ixt call " + test.name + ".hello world",
					"cd " + test.name + " && " + test.test},
			}, made)
			require.Equal(t, []string{test.name}, list(t, "."), "nothing is left beside it")
			require.Equal(t, test.files, list(t, test.name))

			m, err := manifest.Load(filepath.Join(test.name, "manifest.toml"))
			require.NoError(t, err)
			run, err := manifest.Resolve(m, manifest.NoOperator())
			require.NoError(t, err)
			require.Equal(t, test.name+":0.1.0", run.ID())
			require.Equal(t, []string{test.name + ".hello"}, run.Provides.Services)
			require.Equal(t, map[string]any{"greeting": "hello"}, run.Config)
			if test.lang == scaffold.Python {
				require.Contains(t, test.files, run.Process.Entry)
			}
		})
	}
}

func TestCreateIntoAnEmptyDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's here")
	target := filepath.Join(dir, "press")
	require.NoError(t, os.MkdirAll(target, 0o777))
	made, err := scaffold.Create(dir, "press", scaffold.Python, scaffold.Options{})
	require.NoError(t, err)
	require.Equal(t, made.Files, list(t, target))
	require.Equal(t, "ixt run '"+strings.ReplaceAll(target, "'", `'\''`)+"'", made.Next[0])
}

func TestCreateRefusesNames(t *testing.T) {
	tests := map[string]string{
		"Press Model":           `"Press Model" is no name for a module; write lower-case letters, digits, - and _, a letter first, such as "press-model"`,
		"":                      `"" is no name for a module; write lower-case letters, digits, - and _, a letter first`,
		"../press":              `"../press" is no name for a module; write lower-case letters, digits, - and _, a letter first, such as "press"`,
		"a\"\n":                 `"a\"\n" is no name for a module; write lower-case letters, digits, - and _, a letter first, such as "a"`,
		strings.Repeat("a", 41): `has 41 characters, a name has at most 40; shorten it`,
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := scaffold.Create(dir, name, scaffold.Go, scaffold.Options{})
			var wrong *scaffold.NameError
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, name, wrong.Name)
			require.ErrorContains(t, err, want)
			require.Empty(t, list(t, dir))
		})
	}
}

func TestCreateOverwritesNothing(t *testing.T) {
	tests := map[string]func(target string) error{
		"a directory with a file": func(target string) error {
			if err := os.Mkdir(target, 0o777); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(target, "manifest.toml"), nil, 0o666)
		},
		"a file":           func(target string) error { return os.WriteFile(target, []byte("mine"), 0o666) },
		"a dangling link":  func(target string) error { return os.Symlink("nowhere", target) },
		"a link to a room": func(target string) error { return os.Symlink(os.TempDir(), target) },
	}
	for title, occupy := range tests {
		t.Run(title, func(t *testing.T) {
			dir := t.TempDir()
			target := filepath.Join(dir, "press")
			require.NoError(t, occupy(target))
			before, err := os.Lstat(target)
			require.NoError(t, err)

			_, err = scaffold.Create(dir, "press", scaffold.Python, scaffold.Options{})
			var exists *scaffold.ExistsError
			require.ErrorAs(t, err, &exists)
			require.Equal(t, target, exists.Path)
			require.ErrorContains(t, err, "choose another name")

			after, err := os.Lstat(target)
			require.NoError(t, err)
			require.True(t, os.SameFile(before, after))
			require.Equal(t, before.ModTime(), after.ModTime())
			require.Equal(t, []string{"press"}, list(t, dir))
		})
	}
}

func TestCreateFails(t *testing.T) {
	t.Run("unknown language", func(t *testing.T) {
		dir := t.TempDir()
		_, err := scaffold.Create(dir, "press", "rust", scaffold.Options{})
		var unknown *scaffold.LanguageError
		require.ErrorAs(t, err, &unknown)
		require.Empty(t, list(t, dir))
	})
	t.Run("no such directory", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "missing")
		_, err := scaffold.Create(dir, "press", scaffold.Python, scaffold.Options{})
		require.ErrorIs(t, err, os.ErrNotExist)
		require.ErrorContains(t, err, "make the directory first")
		require.NoDirExists(t, dir)
	})
	t.Run("source is no checkout", func(t *testing.T) {
		dir, other := t.TempDir(), t.TempDir()
		var wrong *scaffold.SourceError
		_, err := scaffold.Create(dir, "press", scaffold.Go, scaffold.Options{Source: other})
		require.ErrorAs(t, err, &wrong)
		require.ErrorIs(t, err, os.ErrNotExist)
		require.NoError(t, os.WriteFile(filepath.Join(other, "go.mod"), []byte("module example.com/other\n"), 0o666))
		_, err = scaffold.Create(dir, "press", scaffold.Go, scaffold.Options{Source: other})
		require.EqualError(t, err, other+" is not a checkout of ixt: its go.mod is not that of github.com/ixtrun/ixt; name the directory that holds its go.mod")
		require.Empty(t, list(t, dir))
	})
}

// list is the names of what is in dir, sorted.
func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
