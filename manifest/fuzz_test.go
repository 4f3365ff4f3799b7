package manifest_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ixtrun/ixt/manifest"
	"github.com/stretchr/testify/require"
)

// FuzzParse feeds both readers. Whatever the bytes are, they give a value or problems with a place in the file; a manifest that
// is taken can be resolved, described and put in order without harm.
func FuzzParse(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*/*.toml")
	require.NoError(f, err)
	require.NotEmpty(f, seeds)
	for _, seed := range seeds {
		src, err := os.ReadFile(seed)
		require.NoError(f, err)
		f.Add(src)
	}
	f.Add([]byte(press))
	for _, src := range []string{"", "a.b.c = [{x={y=1}}]", "[[a]]\n[a.b]\n[[a]]", "\xff", "x = nan", "config.x = { type = 'array', default = [[", "\"\" = 1", "a = 1\r\nb = 2"} {
		f.Add([]byte(head + src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if _, err := manifest.ParseOperator("supervisor.toml", src); err != nil {
			requireProblems(t, err)
		}
		m, err := manifest.Parse("manifest.toml", src)
		if err != nil {
			requireProblems(t, err)
			return
		}
		out, err := manifest.Resolve(m, manifest.NoOperator())
		if err != nil {
			requireProblems(t, err)
			return
		}
		require.NotEmpty(t, out.Settings())
		_, _ = manifest.StartOrder([]*manifest.Module{out})
	})
}

func requireProblems(t *testing.T, err error) {
	var problems manifest.Problems
	require.True(t, errors.As(err, &problems))
	for _, p := range problems {
		require.NotEmpty(t, p.Message)
		require.Positive(t, p.Line, "%v", p)
		require.Positive(t, p.Column, "%v", p)
	}
}
