package crash

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// The defaults of Limits.
const (
	DefaultReports = 100
	DefaultBytes   = 16 << 20
)

// Limits bound a store. The zero value of each member, and a nil *Limits, mean the defaults.
type Limits struct {
	Reports int   // at most; default DefaultReports
	Bytes   int64 // of all reports together; default DefaultBytes
}

func (l *Limits) withDefaults() Limits {
	var out Limits
	if l != nil {
		out = *l
	}
	if out.Reports <= 0 {
		out.Reports = DefaultReports
	}
	if out.Bytes <= 0 {
		out.Bytes = DefaultBytes
	}
	return out
}

// Store writes reports to a directory, and reads them as its Dir does.
type Store struct {
	Dir
	limits Limits

	mu   sync.Mutex
	last int // number of the newest report ever seen
}

// Open returns the store of a directory, which is made (0700, its files 0600) with the first report. Nil limits are the
// defaults. It removes what was half written when a process died; trouble with the disk shows with the first Add.
func Open(dir string, limits *Limits) *Store {
	s := &Store{Dir: Dir(dir), limits: limits.withDefaults()}
	_ = os.Remove(s.temporary()) // there seldom is one, and the next Add overwrites it
	return s
}

// Add keeps a report, of which it sets ID and InFlight, and returns its ID. What of it is without measure is cut: the log to its
// last 100 lines, the calls to the 100 oldest, long texts in their middle. Without an ID the error says why the report is not
// kept, and all others are; with one it is kept, and an older one that should have gone could not be removed.
func (s *Store) Add(r Report) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err = s.add(r.bounded())
	if err != nil {
		return id, fmt.Errorf("crash report of %s: %w", r.Module, err)
	}
	return id, nil
}

func (s *Store) add(r Report) (string, error) {
	files, err := s.files()
	if err != nil {
		return "", err
	}
	if len(files) > 0 {
		s.last = max(s.last, files[0].number)
	}
	next := file{s.last + 1, r.Module}
	if _, ok := parseFile(next.id() + suffix); !ok {
		return "", fmt.Errorf("%q cannot be part of a file's name", r.Module)
	}
	r.ID = next.id()
	text, err := encode(r)
	switch size := int64(len(text)); {
	case err != nil:
		return "", err
	case size > s.limits.Bytes:
		return "", fmt.Errorf("its %d bytes are more than the %d that all reports may take; allow more with state.max", size, s.limits.Bytes)
	}
	if err := s.write(next, text); err != nil {
		return "", err
	}
	s.last = next.number
	return r.ID, s.prune()
}

// encode is the report for programs, and for people without one.
func encode(r Report) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(r)
	return b.Bytes(), err
}

// temporary is the file that a report is written to before it gets its name.
func (s *Store) temporary() string { return filepath.Join(string(s.Dir), "new.tmp") }

// write makes the file of a report appear whole, or not at all.
func (s *Store) write(f file, text []byte) error {
	if err := os.MkdirAll(string(s.Dir), 0o700); err != nil {
		return err
	}
	err := os.WriteFile(s.temporary(), text, 0o600)
	if err == nil {
		err = os.Rename(s.temporary(), s.path(f))
	}
	if err != nil {
		_ = os.Remove(s.temporary()) // so that it takes no room that is missing
	}
	return err
}

// prune removes the oldest reports until the limits are kept. It comes after writing: a full disk must not cost the old
// reports and the new one.
func (s *Store) prune() error {
	files, err := s.files()
	if err != nil {
		return err
	}
	var total int64
	var errs []error
	for i, f := range files {
		if info, err := os.Lstat(s.path(f)); err == nil {
			total += info.Size()
		}
		if i < s.limits.Reports && total <= s.limits.Bytes {
			continue
		}
		if err := os.Remove(s.path(f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
