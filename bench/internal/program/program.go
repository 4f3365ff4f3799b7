// Package program builds the two small programs that are started as they are, because their own start is measured: the
// benchmark's binary has every peer's library in it.
package program

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Set is the paths of the programs.
type Set struct {
	Echo   string // internal/echo
	Plugin string // internal/goplugin/server
}

// Build builds them into dir. The working directory must be in the benchmark's module.
func Build(ctx context.Context, dir string) (Set, error) {
	const module = "github.com/ixtrun/ixt/bench/internal/"
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir+"/", module+"echo", module+"goplugin/server")
	if out, err := cmd.CombinedOutput(); err != nil {
		return Set{}, fmt.Errorf("the measured programs cannot be built; run this in the directory bench: %w\n%s", err, out)
	}
	return Set{Echo: filepath.Join(dir, "echo"), Plugin: filepath.Join(dir, "server")}, nil
}
