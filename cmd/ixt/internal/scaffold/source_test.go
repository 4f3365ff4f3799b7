package scaffold_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/ixtrun/ixt/cmd/ixt/internal/scaffold"
	"github.com/stretchr/testify/require"
)

func TestRunningFindsTheCheckout(t *testing.T) {
	got := scaffold.Running()
	require.Empty(t, got.Version)
	require.FileExists(t, filepath.Join(got.Source, "cmd/ixt/internal/scaffold/source_test.go"))
}

func TestReleased(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3":                               "v1.2.3",
		"v1.2.3-rc.1":                          "v1.2.3-rc.1",
		"v1.2.3+dirty":                         "",
		"(devel)":                              "",
		"":                                     "",
		"v0.0.0-20260102150405-0123456789ab":   "",
		"v1.2.4-0.20260102150405-0123456789ab": "",
		"v1.2.3-rc.0.20260102150405-0123456789ab":  "",
		"v0.0.0-20260102150405-0123456789ab+dirty": "",
	} {
		require.Equal(t, want, scaffold.Released(version), version)
	}
}

func TestGoMod(t *testing.T) {
	goMod := func(opts scaffold.Options) string {
		made, err := scaffold.Create(t.TempDir(), "press", scaffold.Go, opts)
		require.NoError(t, err)
		text, err := os.ReadFile(filepath.Join(made.Dir, "go.mod"))
		require.NoError(t, err)
		return string(text)
	}

	// The oldest Go that can build a module is the oldest that can build ixt.
	checkout, err := os.ReadFile(filepath.Join(scaffold.Running().Source, "go.mod"))
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go .*\n`).FindString(string(checkout))
	head := "module example.com/press\n\n" + version
	require.Equal(t, head, goMod(scaffold.Options{}))
	require.Equal(t, head+"\nrequire github.com/ixtrun/ixt v1.2.3\n", goMod(scaffold.Options{Version: "v1.2.3"}))

	source := filepath.Join(t.TempDir(), "my code")
	require.NoError(t, os.Mkdir(source, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(source, "go.mod"), []byte(`module github.com/ixtrun/ixt

require github.com/rs/zerolog v1.35.1

require (
	github.com/spf13/cobra v1.10.2
	golang.org/x/sys v0.49.0 // indirect
)
`), 0o666))
	require.Equal(t, head+`
require github.com/ixtrun/ixt v0.0.0

require (
	github.com/rs/zerolog v1.35.1 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/ixtrun/ixt => "`+source+`"
`, goMod(scaffold.Options{Source: source}))
}
