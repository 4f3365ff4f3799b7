package logs

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"github.com/ixtrun/ixt/internal/ringfile"
)

// Tail returns up to n of the newest entries of a module, or of all modules if that is "", in the order of their arrival: those of
// this run, of its predecessors, and of modules that are gone. With an error it returns what can be had nevertheless.
func (s *Store) Tail(module string, n int) ([]Entry, error) {
	entries, err := ReadDir(s.dir, module, n)
	return last(inOrder(append(entries, s.remembered(module)...)), n), err
}

// remembered is what memory has of a module, or of all.
func (s *Store) remembered(module string) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Entry
	for name, m := range s.modules {
		if module == "" || module == name {
			for _, r := range m.recent {
				out = append(out, r.entries...)
			}
		}
	}
	return out
}

// ReadDir is [Store.Tail] without a store: of the files in dir alone, which a store may be writing meanwhile.
func ReadDir(dir, module string, n int) ([]Entry, error) {
	names := []string{module}
	var errs []error
	if module == "" {
		var err error
		names, err = ringfile.Names(dir)
		errs = append(errs, err)
	}
	var out []Entry
	for _, name := range names {
		entries, err := readModule(dir, name, n)
		out = append(out, entries...)
		errs = append(errs, err)
	}
	return last(inOrder(out), n), errors.Join(errs...)
}

func readModule(dir, name string, n int) ([]Entry, error) {
	lines, err := ringfile.Read(dir, name, n)
	out := make([]Entry, 0, len(lines))
	for _, line := range lines {
		var e Entry
		if json.Unmarshal(line, &e) == nil {
			out = append(out, e)
		}
	}
	return out, err
}

// inOrder sorts entries by arrival; of two that are the same one from a file and from memory it keeps the latter.
func inOrder(entries []Entry) []Entry {
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Module, b.Module), b.Received.Compare(a.Received))
	})
	return slices.CompactFunc(entries, func(a, b Entry) bool { return a.Seq == b.Seq && a.Module == b.Module })
}

func last(entries []Entry, n int) []Entry { return entries[max(0, len(entries)-max(n, 0)):] }
