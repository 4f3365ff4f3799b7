package crash

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Last stands for the ID of the newest report.
const Last = "last"

// Dir is a directory of reports, for reading. One that is not there has none.
type Dir string

// UnknownError says that there is no report by that name.
type UnknownError struct{ ID string }

func (e *UnknownError) Error() string {
	if e.ID == Last {
		return "there is no crash report: no module has ended abnormally"
	}
	return fmt.Sprintf("there is no crash report %s, nor one of a module of that name; `ixt crash` lists them", e.ID)
}

// DamagedError says that the file of a report does not hold one.
type DamagedError struct {
	Path string
	Err  error // what is wrong with it
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s holds no crash report any more: %v; remove it", e.Path, e.Err)
}

// Unwrap returns Err.
func (e *DamagedError) Unwrap() error { return e.Err }

// List returns the heads of a module's reports, or of all reports if that is "", the newest first.
func (d Dir) List(module string) ([]Head, error) {
	files, err := d.files()
	if err != nil {
		return nil, err
	}
	heads := []Head{}
	for _, f := range files {
		if module != "" && module != f.module {
			continue
		}
		var head Head
		err := d.decode(f, &head)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone meanwhile
		}
		if err != nil {
			head = Head{Module: f.module, Damaged: err.Error()}
		}
		head.ID = f.id()
		heads = append(heads, head)
	}
	return heads, nil
}

// Get returns one report: that with the ID, of which the number is enough; [Last]; or, by the name of a module, the newest of
// that module. The error is an [*UnknownError], unless all that go by that name cannot be read.
func (d Dir) Get(id string) (*Report, error) {
	files, err := d.files()
	if err != nil {
		return nil, err
	}
	var unreadable error
	vanished := false
	for _, f := range files {
		if !f.goesBy(id) {
			continue
		}
		var r Report
		switch err := d.decode(f, &r); {
		case err == nil:
			r.ID = f.id()
			return &r, nil
		case errors.Is(err, fs.ErrNotExist):
			vanished = true
		case unreadable == nil:
			unreadable = err
		}
	}
	switch {
	case unreadable != nil:
		return nil, unreadable
	case vanished:
		return d.Get(id) // newer ones took their place meanwhile
	}
	return nil, &UnknownError{id}
}

// decode reads a report, or a part of it, into v.
func (d Dir) decode(f file, v any) error {
	path := d.path(f)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("crash report %s: %w", f.id(), err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return &DamagedError{path, err}
	}
	return nil
}

func (d Dir) path(f file) string { return filepath.Join(string(d), f.id()+suffix) }

// files are those of the reports, the newest first.
func (d Dir) files() ([]file, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("crash reports: %w", err)
	}
	var files []file
	for _, entry := range entries {
		if f, ok := parseFile(entry.Name()); ok {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b file) int { return b.number - a.number })
	return files, nil
}

const suffix = ".json"

// file is one report's by its name.
type file struct {
	number int // from 1
	module string
}

func (f file) id() string { return fmt.Sprintf("%04d-%s", f.number, f.module) }

var fileName = regexp.MustCompile(`^(\d{4,9})-([a-zA-Z0-9][\w.-]*)\.json$`)

func parseFile(name string) (f file, ok bool) {
	parts := fileName.FindStringSubmatch(name)
	if parts == nil {
		return file{}, false
	}
	f.module = parts[2]
	f.number, _ = strconv.Atoi(parts[1]) // at most nine digits
	return f, f.number > 0 && f.id()+suffix == name
}

// goesBy reports whether a person means this report by what was typed.
func (f file) goesBy(id string) bool {
	digits, module, _ := strings.Cut(id, "-")
	if number, err := strconv.Atoi(digits); err == nil {
		return number == f.number && strings.HasPrefix(f.module, module)
	}
	return id == Last || id == f.module
}
