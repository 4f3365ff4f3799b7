package ringfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Names returns the rings in dir, sorted. A directory that is not there has none.
func Names(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list rings: %w", err)
	}
	var out []string
	for _, file := range files {
		if name, _, ok := parse(file.Name()); ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Read returns the last n lines of the ring NAME in dir, oldest first, passing over lines that are not JSON. It changes nothing
// and takes no lock: the ring may be open for appending, here or in another process. A ring that is not there is empty.
func Read(dir, name string, n int) ([][]byte, error) {
	present, err := numbers(dir, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read ring %s: %w", name, err)
	}
	var lines [][]byte // newest first
	var seen []fs.FileInfo
	for _, number := range present {
		if len(lines) >= n {
			break
		}
		file, err := os.Open(segmentPath(dir, name, number))
		if errors.Is(err, fs.ErrNotExist) {
			continue // rotated meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read ring: %w", err)
		}
		info, err := file.Stat()
		again := slices.ContainsFunc(seen, func(s fs.FileInfo) bool { return err == nil && os.SameFile(s, info) })
		if err == nil && !again { // a segment that was read already may have moved on to this name
			seen = append(seen, info)
			lines, err = readBack(file, info.Size(), lines, n)
		}
		_ = file.Close() // it was only read
		if err != nil {
			return nil, fmt.Errorf("read ring: %w", err)
		}
	}
	slices.Reverse(lines)
	return lines, nil
}

// readBack appends the lines of a segment to lines, last first, until these are n.
func readBack(file io.ReaderAt, size int64, lines [][]byte, n int) ([][]byte, error) {
	var torn []byte // the start of a line that begins before what was read so far
	for step := int64(64 << 10); size > 0 && len(lines) < n; step *= 2 {
		step = min(step, size)
		chunk := make([]byte, step, step+int64(len(torn)))
		if _, err := file.ReadAt(chunk, size-step); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		size -= step
		chunk = append(chunk, torn...)
		for len(lines) < n {
			end := bytes.LastIndexByte(chunk, '\n')
			if end < 0 && size > 0 {
				break
			}
			if line := chunk[end+1:]; json.Valid(line) {
				lines = append(lines, line)
			}
			if end < 0 {
				break
			}
			chunk = chunk[:end]
		}
		torn = chunk
	}
	return lines, nil
}
