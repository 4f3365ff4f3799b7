package logs

import (
	"bufio"
	"bytes"
	"io"
	"time"
	"unicode/utf8"
)

// maxLine is how many bytes of a line make one entry at most.
const maxLine = 64 << 10

// Read makes an entry of every line of r and gives it to emit, until r ends; that is no error, any other end is. A last line
// without its newline counts. Empty lines do not. A line longer than 64 KiB becomes several entries, each a Piece of it. The clock says when a
// line arrived.
//
// A JSON object with a string "message" (or "msg") or a known "level" is a log line: it keeps its level, its "time" if that is
// RFC 3339 and within a minute of its arrival, and its other members as fields. Any other line is the message itself, at level info; but what looks like a Python
// traceback or the panic of a Go program on stderr is at level error.
func Read(r io.Reader, source Source, now func() time.Time, emit func(Entry)) error {
	var cut cutter
	var plain classifier
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine+len("\r\n"))
	scanner.Split(cut.split)
	for more := false; scanner.Scan(); more = cut.more {
		line := bytes.ToValidUTF8(scanner.Bytes(), []byte(string(utf8.RuneError)))
		if len(line) == 0 {
			continue
		}
		arrived := now()
		e := Entry{
			Time: arrived, Received: arrived, Module: source.Module, Instance: source.Instance, Stream: source.Stream,
			Level: LevelInfo, Piece: piece(more, cut.more),
		}
		if e.Piece != "" || !e.parse(line) {
			e.Message = printable(string(line))
			if source.Stream == Stderr {
				e.Level = plain.level(e.Message, more)
			}
		}
		emit(e)
	}
	return scanner.Err()
}

// piece says which one of a line it is by whether there are others before and after it.
func piece(before, after bool) string {
	switch {
	case before && after:
		return Middle
	case before:
		return Last
	case after:
		return First
	}
	return ""
}

// cutter finds the lines in a stream for a Scanner, and cuts those that are too long between two characters.
type cutter struct{ more bool } // the line of the last token goes on in the next

func (c *cutter) split(data []byte, atEOF bool) (advance int, token []byte, err error) {
	line, _, whole := bytes.Cut(data, []byte{'\n'})
	advance = len(line)
	switch {
	case whole:
		advance++
	case atEOF && len(data) == 0:
		return 0, nil, nil
	case !atEOF && len(data) <= maxLine+1: // with the last byte perhaps a \r
		return 0, nil, nil
	}
	line = bytes.TrimSuffix(line, []byte{'\r'})
	c.more = len(line) > maxLine
	if c.more {
		line = line[:boundary(line, maxLine)]
		advance = len(line)
	}
	return advance, line, nil
}

// boundary returns the last place up to n where no character of the line is cut in two.
func boundary(line []byte, n int) int {
	for back := range utf8.UTFMax {
		if utf8.RuneStart(line[n-back]) {
			return n - back
		}
	}
	return n // no UTF-8 anyway
}
