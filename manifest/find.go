package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// fileName is what a module's manifest is called.
const fileName = "manifest.toml"

// maxDepth is how far below a directory manifests are looked for.
const maxDepth = 8

// FindError is a directory of modules that cannot be searched.
type FindError struct {
	Dir string
	Err error // of the operating system
}

func (e *FindError) Error() string {
	if errors.Is(e.Err, fs.ErrNotExist) {
		return fmt.Sprintf("module directory %s does not exist; name a directory with modules in it, or a manifest", e.Dir)
	}
	return fmt.Sprintf("module directory %s cannot be searched: %v", e.Dir, e.Err)
}

// Unwrap is the error of the operating system.
func (e *FindError) Unwrap() error { return e.Err }

// Find lists the manifests in directories, sorted and each once, by the name that leads to it first: of a directory with a
// manifest.toml that one, of any other those of the directories below it, links followed. Hidden directories, .venv,
// node_modules and testdata are passed over. A dir may be a manifest file itself. The error is a [*FindError].
func Find(dirs ...string) ([]string, error) {
	var found []string
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, &FindError{dir, err}
		}
		if !info.IsDir() {
			found = append(found, filepath.Clean(dir))
			continue
		}
		below, err := findBelow(dir, nil)
		if err != nil {
			return nil, &FindError{dir, err}
		}
		found = append(found, below...)
	}
	found = unique(found)
	slices.Sort(found)
	return found, nil
}

// findBelow searches one directory; above are the real paths of those that led to it, so that links cannot go in circles.
func findBelow(dir string, above []string) ([]string, error) {
	file := filepath.Join(dir, fileName)
	if info, err := os.Stat(file); err == nil && !info.IsDir() {
		return []string{file}, nil
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil || len(above) > maxDepth || slices.Contains(above, real) {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		// Stat, not the entry: it follows links. What vanished or dangles is no module.
		if info, err := os.Stat(sub); err != nil || !info.IsDir() || passedOver(e.Name()) {
			continue
		}
		below, err := findBelow(sub, append(slices.Clone(above), real))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		found = append(found, below...)
	}
	return found, nil
}

func passedOver(name string) bool {
	return strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata"
}

// unique drops paths that lead to a file that an earlier one leads to.
func unique(paths []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(paths, func(path string) bool {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			real = path
		}
		real = absolute(real)
		defer func() { seen[real] = true }()
		return seen[real]
	})
}
