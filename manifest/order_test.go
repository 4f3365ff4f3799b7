package manifest_test

import (
	"strings"
	"testing"

	"github.com/ixtrun/ixt/manifest"
	"github.com/stretchr/testify/require"
)

func TestStartOrder(t *testing.T) {
	for _, c := range []struct{ name, modules, want, err string }{
		{"none", "", "", ""},
		{"by name", "b; a; c", "a b c", ""},
		{"by after", "a:c; b; c:b", "b c a", ""},
		{"diamond", "a:b,c; b:d; c:d; d", "d b c a", ""},
		{"circle", "a:b; b:a", "", "b/manifest.toml:3:9: after.a: modules wait for each other: a -> b -> a; remove one of these; after only orders starts, calls go both ways without it"},
		{"circle behind a tail", "a:b; b:c; c:d; d:b", "", "d/manifest.toml:3:9: after.b: modules wait for each other: b -> c -> d -> b; remove one of these; after only orders starts, calls go both ways without it"},
		{"two circles", "a:b; b:a; c:d; d:c", "", "b/manifest.toml:3:9: after.a: modules wait for each other: a -> b -> a; remove one of these; after only orders starts, calls go both ways without it\n" +
			"d/manifest.toml:3:9: after.c: modules wait for each other: c -> d -> c; remove one of these; after only orders starts, calls go both ways without it"},
		{"nobody", "historian; press:histrian", "", `press/manifest.toml:3:16: after.histrian: no module is called "histrian"; did you mean historian?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ms []*manifest.Module
			for _, text := range strings.FieldsFunc(c.modules, func(r rune) bool { return r == ';' }) {
				name, after, _ := strings.Cut(strings.TrimSpace(text), ":")
				src := "schema_version = \"3.0\"\nmodule = { name = \"" + name + "\", version = \"1.0.0\" }\n"
				for _, other := range strings.FieldsFunc(after, func(r rune) bool { return r == ',' }) {
					src += "after." + other + "=\"ready\"\n"
				}
				m, err := manifest.Parse(name+"/manifest.toml", []byte(src))
				require.NoError(t, err)
				out, err := manifest.Resolve(m, manifest.NoOperator())
				require.NoError(t, err)
				ms = append(ms, out)
			}
			sorted, err := manifest.StartOrder(ms)
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			var names []string
			for _, m := range sorted {
				names = append(names, m.Name)
			}
			require.Equal(t, c.want, strings.Join(names, " "))
		})
	}
}

func TestSameNameTwice(t *testing.T) {
	one := &manifest.Module{Name: "press", File: "/a/manifest.toml"}
	two := &manifest.Module{Name: "press", File: "/b/manifest.toml"}
	_, err := manifest.StartOrder([]*manifest.Module{two, one})
	require.EqualError(t, err, `/b/manifest.toml: module.name: "press" is the name of /a/manifest.toml too; give each module a name of its own`)
}
