package scaffold

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// ixtPath is the Go module path of ixt.
const ixtPath = "github.com/ixtrun/ixt"

// Running returns the Options for the ixt that is running: its version if that is a published one, and the checkout it was
// built from if that is still there. Both are empty where neither is known.
func Running() Options {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != ixtPath {
		return Options{}
	}
	if info.Main.Sum != "" { // it was downloaded, so others can download it too
		return Options{Version: info.Main.Version}
	}
	opts := Options{Version: released(info.Main.Version)}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		dir := filepath.Join(filepath.Dir(file), "../../../..")
		if _, err := readSource(dir); err == nil {
			opts.Source = dir
		}
	}
	return opts
}

// unreleased fits the versions that Go makes up for a checkout: (devel), of a commit (v0.0.0-20260102150405-0123456789ab),
// or of changes that were not committed (+dirty).
var unreleased = regexp.MustCompile(`^\(devel\)$|[.-]\d{14}-[0-9a-f]{12}|\+`)

// released is the version if a tag has it, else empty.
func released(version string) string {
	if unreleased.MatchString(version) {
		return ""
	}
	return version
}

// source is what a Go module needs of the checkout of ixt it is built against.
type source struct {
	dir      string
	requires []string // "PATH VERSION" of what the Go SDK imports, as the checkout's go.mod has it
	sums     string   // its go.sum
}

// sdkImports are the modules that package module, the Go SDK, is built from. With the versions of all of them in its
// go.mod, a new module builds and tests without `go mod tidy`.
func sdkImports() []string {
	return []string{"github.com/mattn/go-colorable", "github.com/mattn/go-isatty", "github.com/rs/zerolog", "golang.org/x/sys"}
}

// readSource reads the checkout in dir.
func readSource(dir string) (*source, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, err
	}
	s := &source{dir: dir}
	found := false
	for line := range strings.Lines(string(mod)) {
		words := strings.Fields(strings.TrimPrefix(line, "require "))
		switch {
		case len(words) < 2:
		case words[0] == "module":
			found = words[1] == ixtPath
		case slices.Contains(sdkImports(), words[0]):
			s.requires = append(s.requires, words[0]+" "+words[1])
		}
	}
	if !found {
		return nil, fmt.Errorf("its go.mod is not that of %s", ixtPath)
	}
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	s.sums = string(sums)
	return s, nil
}
