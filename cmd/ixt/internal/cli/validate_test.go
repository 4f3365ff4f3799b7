package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// site is a directory of files that is the working directory.
func site(t *testing.T, files map[string]string) {
	dir := shortDir(t)
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		write(t, path, text)
	}
	t.Chdir(dir)
}

// named is a manifest that says no more than rest.
func named(name, rest string) string {
	return fmt.Sprintf("schema_version = \"3.0\"\nmodule = { name = %q, version = \"1.0.0\" }\n%s\n", name, rest)
}

// What is wrong with files by themselves, and what with all of them together, is said at once.
func TestValidate(t *testing.T) {
	ok := func(files ...string) (lines string) {
		for _, file := range files {
			lines += file + ": ok\n"
		}
		return lines
	}
	digest := func(file string) string {
		return `artifacts.process.digests = { "` + file + `" = "sha256:` + strings.Repeat("0", 64) + `" }`
	}
	for _, c := range []struct {
		name   string
		files  map[string]string
		line   string
		stdout string
		stderr string // empty: nothing is wrong
	}{
		{"all is well",
			map[string]string{"m/a/manifest.toml": named("a", `after.b = "ready"`), "m/b/manifest.toml": named("b", ""), "mine.toml": "[state]\nmax = \"5MiB\"\n"},
			"m mine.toml", ok("m/a/manifest.toml", "m/b/manifest.toml", "mine.toml"), ""},
		{"an unknown key",
			map[string]string{"m/a/manifest.toml": named("a", "health.intervall = \"5s\""), "m/b/manifest.toml": named("b", "")},
			"m", ok("m/b/manifest.toml"), "m/a/manifest.toml:3:8: health.intervall: unknown key; did you mean interval?"},
		{"an operator's unknown key", map[string]string{"mine.toml": "[state]\nmaximum = \"5MiB\"\n"},
			"mine.toml", "", "mine.toml:2:1: state.maximum: unknown key; known here: dir, max"},
		{"an operator's file alone", map[string]string{"mine.toml": "[module.a]\nscale.instances = 2\n"},
			"mine.toml", ok("mine.toml"), ""},
		{"no manifest", map[string]string{"m/x": ""}, "m", "", "m: no manifest.toml in or below it; name another directory, or a file"},
		{"after whom", map[string]string{"m/a/manifest.toml": named("a", `after.bee = "ready"`), "m/bees/manifest.toml": named("bees", "")},
			"m", ok("m/bees/manifest.toml"), `m/a/manifest.toml:3:13: after.bee: no module is called "bee"; did you mean bees?`},
		{"a circle", map[string]string{"a.toml": named("a", `after.b = "ready"`), "b.toml": named("b", `after.a = "ready"`)},
			"a.toml b.toml", ok("a.toml"),
			"b.toml:3:11: after.a: modules wait for each other: a -> b -> a; remove one of these; after only orders starts, calls go both ways without it"},
		{"one name for two", map[string]string{"a.toml": named("a", ""), "b.toml": named("a", "")},
			"a.toml b.toml", ok("a.toml"), `b.toml:2:19: module.name: "a" is the name of DIR/a.toml too; give each module a name of its own`},
		{"nobody's name", map[string]string{"m/manifest.toml": named("slow", ""), "supervisor.toml": "[module.slwo]\n"},
			"m supervisor.toml", ok("m/manifest.toml"), "supervisor.toml:1:9: module.slwo: no module has this name; did you mean slow?"},
		{"the operator's modules and values",
			map[string]string{"m/manifest.toml": named("a", `config.limit = { type = "float" }`), "supervisor.toml": "modules = [\"m\"]\n[module.a]\nconfig.limit = \"7\"\n"},
			"supervisor.toml", ok("DIR/m/manifest.toml"), `supervisor.toml:3:16: module.a.config.limit: "7" is a string, type says float; write 7.0`},
		{"the operator's file that is there",
			map[string]string{"m/manifest.toml": named("a", `config.limit = { type = "float", required = true }`), "supervisor.toml": "[module.a]\nconfig.limit = 7\n"},
			"m", ok("m/manifest.toml", "supervisor.toml"), ""},
		{"two operator's files",
			map[string]string{"m/manifest.toml": named("a", `after.b = "ready"`), "1.toml": "[module.a]\n", "2.toml": "[state]\n[module.x]\n"},
			"m 1.toml 2.toml", ok("1.toml"), `2.toml:2:9: module.x: no module has this name; did you mean a?
m/manifest.toml:3:11: after.b: no module is called "b"; did you mean a?`},
		{"a flag's value",
			map[string]string{"m/manifest.toml": named("a", `config.limit = { type = "float", required = true }`)},
			"m --set a:limit=7", ok("m/manifest.toml"), ""},
		{"files that have changed, and others not there",
			map[string]string{"m/a/manifest.toml": named("a", digest("run.py")), "m/a/run.py": "", "m/b/manifest.toml": named("b", digest("run.py")),
				"m/c/manifest.toml": named("c", digest("run")+"\nartifacts.process.path = \"run\"\nartifacts.process.build = [\"make\"]")},
			"m", ok("m/c/manifest.toml"), `m/a/manifest.toml:3:42: artifacts.process.digests."run.py": the file has sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, the manifest says sha256:0000000000000000000000000000000000000000000000000000000000000000; restore the file, or write the new digest if the change is meant
m/b/manifest.toml:3:42: artifacts.process.digests."run.py": open DIR/m/b/run.py: no such file or directory; restore the file`},
		{"everything at once",
			map[string]string{"m/a/manifest.toml": named("a", `after.x = "ready"`+"\n"+digest("gone")), "m/b/manifest.toml": named("b", ""), "supervisor.toml": "[module.c]\n"},
			"m nowhere supervisor.toml", ok("m/b/manifest.toml"), `m/a/manifest.toml:3:11: after.x: no module is called "x"; did you mean a?
m/a/manifest.toml:4:40: artifacts.process.digests.gone: open DIR/m/a/gone: no such file or directory; restore the file
supervisor.toml:1:9: module.c: no module has this name; did you mean a?
module directory nowhere does not exist; name a directory with modules in it, or a manifest`},
		{"what a broken file might say is not missed",
			map[string]string{"m/a/manifest.toml": named("a", `config.limit = { type = "float", required = true }`), "m/b/manifest.toml": named("B", ""), "supervisor.toml": "modules = 5\n"},
			"m supervisor.toml", ok("m/a/manifest.toml"), `m/b/manifest.toml:2:19: module.name: "B" is no name for a module; write lower-case letters, digits, - and _, a letter first, such as "b"
supervisor.toml:1:11: modules: 5 is an integer, type says array of strings; write values in brackets, such as ["a", "b"]`},
		{"modules that are not there", map[string]string{"m/manifest.toml": named("a", ""), "supervisor.toml": "modules = [\"x\"]\n"},
			"m supervisor.toml", ok("m/manifest.toml"), "module directory DIR/x does not exist; name a directory with modules in it, or a manifest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			site(t, c.files)
			here, err := os.Getwd()
			require.NoError(t, err)
			want := result{0, strings.ReplaceAll(c.stdout, "DIR", here), ""}
			if c.stderr != "" {
				want.code, want.stderr = 2, strings.ReplaceAll(c.stderr, "DIR", here)+"\n"
			}
			require.Equal(t, want, ixt(t, append([]string{"validate"}, strings.Fields(c.line)...)...))
		})
	}
}
