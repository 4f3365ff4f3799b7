// Package scaffold makes new modules: a directory with a manifest, a program that builds and answers one topic, and a
// test that passes.
//
// What a module starts from are the files below template/, one directory for each language; ".tmpl" keeps Go's tools
// from taking them for code of this project. They see the fields of the type module.
package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Options say which ixt a new module is for. Only Go modules depend on it: a Python module gets its own copy of the SDK.
type Options struct {
	// Version is the published version of ixt to require, such as v1.2.3.
	// Empty leaves it to the module's first build to find the latest.
	Version string
	// Source is the directory of a checkout of ixt to build against, in place of a published version.
	Source string
}

// Result is a module that was made.
type Result struct {
	Dir   string   // its directory, relative if the one given to Create was
	Files []string // what is in there, relative to Dir, sorted
	Next  []string // the commands to type next, for a shell in the directory where ixt runs
}

// Create makes the module name in the directory dir/name, which must be missing or empty; dir must exist.
// It makes all of it or nothing. Errors are [*NameError], [*LanguageError], [*ExistsError], [*SourceError], or come
// from the file system.
func Create(dir, name string, lang Language, opts Options) (*Result, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if _, err := ParseLanguage(string(lang)); err != nil {
		return nil, err
	}
	m, err := newModule(name, opts)
	if err != nil {
		return nil, err
	}
	files, err := m.files(lang)
	if err != nil {
		return nil, err
	}
	target := filepath.Join(dir, name)
	if err := write(target, files); err != nil {
		return nil, fmt.Errorf("make module %s: %w", name, err)
	}
	return &Result{Dir: target, Files: slices.Sorted(maps.Keys(files)), Next: m.next(lang, target)}, nil
}

// write makes the directory target with these files. They are written into a directory beside it, which then takes
// target's name, so nobody ever sees half a module.
func write(target string, files map[string]string) error {
	if err := free(target); err != nil {
		return err
	}
	parent, name := filepath.Split(target)
	around, err := os.MkdirTemp(filepath.Clean(parent), "."+name+"-*")
	if err != nil {
		return fmt.Errorf("%w; make the directory first, or choose one you may write to", err)
	}
	defer os.RemoveAll(around)
	draft := filepath.Join(around, name) // MkdirTemp lets nobody else in; a directory inside has the usual mode
	if err := os.Mkdir(draft, 0o777); err != nil {
		return err
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(draft, file), []byte(text), 0o666); err != nil {
			return err
		}
	}
	// Neither call destroys anything that came there meanwhile: Rmdir takes nothing but an empty directory, and Rename
	// spares what it finds.
	if err := syscall.Rmdir(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &ExistsError{Path: target}
	}
	return os.Rename(draft, target)
}

// free makes sure that nothing is at path but perhaps an empty directory.
func free(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return &ExistsError{Path: path}
	}
	entries, err := os.ReadDir(path)
	if err == nil && len(entries) > 0 {
		return &ExistsError{Path: path}
	}
	return err
}
