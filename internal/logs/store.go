package logs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ixtrun/ixt/internal/ringfile"
)

// Store keeps the entries of many modules. The disk is asked for, never relied on: see [Store.Trouble].
type Store struct {
	dir string

	mu        sync.Mutex
	seq       uint64
	modules   map[string]*module
	followers map[*follower]struct{}
	troubles  int
	trouble   error // the last one
	closed    bool
}

// module is one module's part of the store.
type module struct {
	name   string
	recent map[int]*recent // by instance; under Store.mu

	// writing is held while an entry is numbered and written, so that the file is in order. It is taken before Store.mu.
	writing sync.Mutex
	options *ringfile.Options
	file    *ringfile.File // nil until it is needed
}

// OpenStore returns a store of files in dir, which is made with the first entry, and goes on with the numbers it finds there.
// What cannot be read there is trouble, not a failure.
func OpenStore(dir string) *Store {
	s := &Store{dir: dir, modules: map[string]*module{}, followers: map[*follower]struct{}{}}
	names, err := ringfile.Names(dir)
	s.note(err)
	for _, name := range names {
		entries, err := readModule(dir, name, 1)
		s.note(err)
		for _, e := range entries {
			s.seq = max(s.seq, e.Seq)
		}
	}
	return s
}

// Module sets the limits of a module's file from its next entry on; nil means the defaults, as for a module never named here.
func (s *Store) Module(name string, opts *ringfile.Options) {
	m := s.module(name)
	m.writing.Lock()
	defer m.writing.Unlock()
	m.options = opts
	s.note(m.close())
}

func (s *Store) module(name string) *module {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.modules[name]
	if m == nil {
		m = &module{name: name, recent: map[int]*recent{}}
		s.modules[name] = m
	}
	return m
}

// Append numbers the entry, whose Seq it sets, and takes it to memory, to the followers and to the module's file. A closed store
// drops it.
func (s *Store) Append(e Entry) {
	m := s.module(e.Module)
	m.writing.Lock()
	defer m.writing.Unlock()
	if s.publish(m, &e) {
		s.note(m.write(s.dir, e))
	}
}

// publish is what Append does without the disk.
func (s *Store) publish(m *module, e *Entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.seq++
	e.Seq = s.seq
	if m.recent[e.Instance] == nil {
		m.recent[e.Instance] = &recent{}
	}
	m.recent[e.Instance].add(*e)
	for f := range s.followers {
		f.offer(*e)
	}
	return true
}

func (m *module) write(dir string, e Entry) error {
	line, err := e.encode()
	if err != nil {
		return fmt.Errorf("log of %s: %w", m.name, err)
	}
	if m.file == nil {
		if m.file, err = ringfile.Open(dir, m.name, m.options); err != nil {
			return err
		}
	}
	return m.file.Append(line)
}

func (m *module) close() error {
	file := m.file
	m.file = nil
	if file == nil {
		return nil
	}
	return file.Close()
}

// Recent returns up to n of the newest entries of one instance, oldest first, from memory, which has the last 100 (fewer if they
// are long).
func (s *Store) Recent(module string, instance, n int) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.modules[module]
	if m == nil || m.recent[instance] == nil {
		return nil
	}
	return slices.Clone(last(m.recent[instance].entries, n))
}

// Trouble returns how often an entry could not be kept on disk, or what is there could not be read, and the last reason; nil if
// there was none.
func (s *Store) Trouble() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.troubles, s.trouble
}

func (s *Store) note(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.troubles++
	s.trouble = err
}

// Close ends the followers and closes the files. What is in memory and on disk can still be read.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	for f := range s.followers {
		s.dropLocked(f)
	}
	modules := slices.Collect(maps.Values(s.modules))
	s.mu.Unlock()
	var errs []error
	for _, m := range modules {
		m.writing.Lock()
		errs = append(errs, m.close())
		m.writing.Unlock()
	}
	return errors.Join(errs...)
}
