package ringfile

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const suffix = ".jsonl"

// segment is what the ring knows of one of its files.
type segment struct {
	size  int64
	start time.Time // of its first line
}

// segmentPath names a segment; number 0 is the active one.
func segmentPath(dir, name string, number int) string {
	if number > 0 {
		name += "." + strconv.Itoa(number)
	}
	return filepath.Join(dir, name+suffix)
}

// parse is the reverse of segmentPath for the name of a file.
func parse(file string) (name string, number int, ok bool) {
	name, ok = strings.CutSuffix(file, suffix)
	if !ok {
		return "", 0, false
	}
	name, digits, rotated := strings.Cut(name, ".")
	if !rotated {
		return name, 0, name != ""
	}
	number, err := strconv.Atoi(digits)
	return name, number, name != "" && err == nil && number > 0 && strconv.Itoa(number) == digits
}

// numbers returns the segments of a ring that there are, the active one (0) first, then newest first.
func numbers(dir, name string) ([]int, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, file := range files {
		if of, number, ok := parse(file.Name()); ok && of == name {
			out = append(out, number)
		}
	}
	slices.Sort(out)
	return out, nil
}

// load opens the active segment and takes stock of the others, which it puts in a row where an interrupted rotation left a gap.
func (f *File) load() error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	present, err := numbers(f.dir, f.name)
	if err != nil {
		return err
	}
	f.rotated = nil
	for _, number := range present {
		if number == 0 {
			continue
		}
		if err := f.adopt(number); err != nil {
			return err
		}
	}
	if f.active, err = os.OpenFile(f.path(0), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := mend(f.active); err != nil {
		return err
	}
	if f.opened, err = f.active.Stat(); err != nil {
		return err
	}
	f.head = measure(f.active, f.opened)
	return nil
}

// adopt makes a rotated segment the oldest known one, or removes it if there are enough.
func (f *File) adopt(number int) error {
	place := len(f.rotated) + 1
	if place >= f.opts.Segments {
		return os.Remove(f.path(number))
	}
	if err := os.Rename(f.path(number), f.path(place)); err != nil {
		return err
	}
	file, err := os.Open(f.path(place))
	if err != nil {
		return err
	}
	defer file.Close() // it was only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	f.rotated = append(f.rotated, measure(file, info))
	return nil
}

// mend ends a last line that a crash tore, so that it spoils no other.
func mend(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	_, err = file.Write([]byte{'\n'})
	return err
}

// measure finds out when a segment was begun: the file system does not say, but lines usually have a time. Else, and where that
// is later than the last change, it is taken to be as young as its last line.
func measure(file *os.File, info fs.FileInfo) segment {
	var first struct {
		Time time.Time `json:"time"`
	}
	err := json.NewDecoder(io.NewSectionReader(file, 0, info.Size())).Decode(&first)
	if err != nil || first.Time.IsZero() || first.Time.After(info.ModTime()) {
		first.Time = info.ModTime()
	}
	return segment{size: info.Size(), start: first.Time}
}

// inPlace reports whether the active segment still is what its path names: somebody may remove it to free the disk.
func (f *File) inPlace() bool {
	info, err := os.Stat(f.path(0))
	return err == nil && os.SameFile(info, f.opened)
}

// isFull reports whether the active segment has to end before size more bytes.
func (f *File) isFull(size int64) bool {
	if f.head.size == 0 {
		return false
	}
	share := f.opts.MaxSize / int64(f.opts.Segments)
	return f.head.size+size > share || f.age(f.head) > f.opts.MaxAge/time.Duration(f.opts.Segments)
}

func (f *File) age(s segment) time.Duration { return f.opts.Now().Sub(s.start) }

// rotate moves every segment on by one name, the oldest first, and begins a new one.
func (f *File) rotate() error {
	if err := f.release(); err != nil {
		return err
	}
	known := append([]segment{f.head}, f.rotated...)
	for number := len(f.rotated); number >= 0; number-- {
		var err error
		if number+1 < f.opts.Segments {
			err = os.Rename(f.path(number), f.path(number+1))
		} else {
			err = os.Remove(f.path(number))
		}
		if err != nil {
			return err
		}
	}
	if err := f.load(); err != nil {
		return err
	}
	for i := range f.rotated {
		f.rotated[i].start = known[i].start // measured when it was young
	}
	return nil
}

// expire removes the oldest segments until all is young enough and size more bytes fit.
func (f *File) expire(size int64) error {
	for len(f.rotated) > 0 {
		oldest := f.rotated[len(f.rotated)-1]
		if f.total()+size <= f.opts.MaxSize && f.age(oldest) <= f.opts.MaxAge {
			return nil
		}
		if err := os.Remove(f.path(len(f.rotated))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f.rotated = f.rotated[:len(f.rotated)-1]
	}
	return nil
}

func (f *File) total() int64 {
	total := f.head.size
	for _, s := range f.rotated {
		total += s.size
	}
	return total
}
