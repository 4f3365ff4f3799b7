package module_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A module's binary stays small: the SDK is ipc, zerolog with what that needs, and the standard library.
func TestImports(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	require.NoError(t, err)
	deps := strings.Fields(string(out))
	require.Contains(t, deps, "github.com/ixtrun/ixt/ipc")
	for _, dep := range deps {
		switch {
		case dep == "github.com/ixtrun/ixt/ipc", dep == "github.com/ixtrun/ixt/module":
		case strings.HasPrefix(dep, "github.com/rs/zerolog"):
		case strings.HasPrefix(dep, "github.com/mattn/go-"), strings.HasPrefix(dep, "golang.org/x/sys/"): // zerolog's own
		default:
			t.Errorf("package module depends on %s", dep)
		}
	}
	testing, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	require.NotContains(t, strings.Fields(string(testing)), "testing")
}
