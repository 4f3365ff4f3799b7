package ringfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The defaults of Options.
const (
	DefaultMaxSize  = 8 << 20
	DefaultMaxAge   = 336 * time.Hour
	DefaultSegments = 4
)

// Options bound a ring. The zero value of each member, and a nil *Options, mean the defaults.
type Options struct {
	MaxSize  int64            // bytes of all segments together; default DefaultMaxSize
	MaxAge   time.Duration    // of the oldest line; default DefaultMaxAge
	Segments int              // files at most; fewer, larger ones forget more at once; default DefaultSegments
	Now      func() time.Time // the clock; default time.Now
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.MaxSize <= 0 {
		out.MaxSize = DefaultMaxSize
	}
	if out.MaxAge <= 0 {
		out.MaxAge = DefaultMaxAge
	}
	if out.Segments <= 0 {
		out.Segments = DefaultSegments
	}
	if out.Now == nil {
		out.Now = time.Now
	}
	return out
}

// ErrTooLong refuses a line that is longer than the whole ring may be.
var ErrTooLong = errors.New("the line is longer than the ring; allow the ring more bytes")

// File is a ring open for appending. One at a time may be open for a ring; anybody may [Read] it meanwhile. All methods are
// safe for concurrent use.
type File struct {
	dir, name string
	opts      Options

	mu      sync.Mutex
	active  *os.File // nil: after trouble, the next line opens the ring anew
	opened  fs.FileInfo
	head    segment   // what active holds
	rotated []segment // newest first: the one at i is NAME.(i+1).jsonl
	dropped int
	closed  bool
}

// Open opens the ring NAME in dir, which it makes (0700, its files 0600) if need be, repairs a last line that a crash tore and
// drops what is too old or too much by opts. Nil opts are the defaults. The name is one element of a path, without a dot.
func Open(dir, name string, opts *Options) (*File, error) {
	if name == "" || filepath.Base(name) != name || filepath.Ext(name) != "" {
		return nil, fmt.Errorf("%q cannot name a ring; use a file name without a dot", name)
	}
	f := &File{dir: dir, name: name, opts: opts.withDefaults()}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.prepare(0); err != nil {
		return nil, fmt.Errorf("open ring %s: %w", f.path(0), err)
	}
	return f, nil
}

// Append adds one line, given without its newline. On an error the line is dropped and counted.
func (f *File) Append(line []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.append(line)
	if err != nil {
		f.dropped++
		return fmt.Errorf("append to ring %s: %w", f.path(0), err)
	}
	return nil
}

func (f *File) append(line []byte) error {
	size := int64(len(line)) + 1
	switch {
	case f.closed:
		return fs.ErrClosed
	case size > f.opts.MaxSize:
		return ErrTooLong
	}
	if err := f.prepare(size); err != nil {
		return err
	}
	if _, err := f.active.Write(append(line[:len(line):len(line)], '\n')); err != nil {
		_ = f.active.Truncate(f.head.size) // a part of a line is of no use; if it stays, opening mends it
		f.release()
		return err
	}
	if f.head.size == 0 {
		f.head.start = f.opts.Now()
	}
	f.head.size += size
	return nil
}

// prepare makes room for size more bytes in an open active segment. After an error the ring is opened anew next time.
func (f *File) prepare(size int64) (err error) {
	defer func() {
		if err != nil {
			f.release()
		}
	}()
	if f.active != nil && !f.inPlace() {
		f.release()
	}
	if f.active == nil {
		if err := f.load(); err != nil {
			return err
		}
	}
	if f.isFull(size) {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	return f.expire(size)
}

// Dropped returns how many lines could not be kept since Open.
func (f *File) Dropped() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dropped
}

// Tail returns the last n lines of all segments, oldest first, as [Read] does.
func (f *File) Tail(n int) ([][]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Read(f.dir, f.name, n)
}

// Close closes the ring; later lines are dropped. Closing again does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return f.release()
}

// release closes the active segment.
func (f *File) release() error {
	active := f.active
	f.active = nil
	if active == nil {
		return nil
	}
	return active.Close()
}

func (f *File) path(number int) string { return segmentPath(f.dir, f.name, number) }

// All is a number of lines that no ring holds.
const All = math.MaxInt
