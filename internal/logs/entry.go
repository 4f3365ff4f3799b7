package logs

import (
	"bytes"
	"encoding/json"
	"time"
)

// The levels of entries.
const (
	LevelDebug = "debug"
	LevelInfo  = "info"
	LevelWarn  = "warn"
	LevelError = "error"
)

// The streams of a module. What it writes elsewhere is no log.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// The pieces of a line that was too long for one entry.
const (
	First  = "first"
	Middle = "middle"
	Last   = "last"
)

// Entry is one line that a module wrote.
type Entry struct {
	// Seq grows with every entry of a store, across restarts too: it is the order of arrival.
	Seq uint64 `json:"seq"`
	// Time is when the line was written as far as it credibly says so itself, else when it arrived.
	Time time.Time `json:"time"`
	// Received is when it arrived, by a clock that only goes forward; zero in an entry that comes from a file.
	Received time.Time `json:"-"`
	Module   string    `json:"module"`             // name
	Instance int       `json:"instance,omitempty"` // from 1; 0: the module as such, such as its build
	Stream   string    `json:"stream,omitempty"`   // Stdout or Stderr
	Level    string    `json:"level"`              // one of the Level constants
	// Message is text that cannot garble a terminal. It may have several lines if it comes from a JSON line.
	Message string `json:"message"`
	// Fields are the other members of a JSON line, each as the module wrote it, so that numbers stay exact.
	Fields map[string]json.RawMessage `json:"fields,omitempty"`
	// Piece is empty for a whole line. First, Middle and Last are pieces of one that was too long: those of one stream follow each
	// other by Seq, if with entries of other streams between them, and the line is their messages joined from First to Last.
	Piece string `json:"piece,omitempty"`
}

// Source says who writes.
type Source struct {
	Module   string // name
	Instance int    // from 1; 0: the module as such
	Stream   string // Stdout or Stderr
}

// encode is the entry as a line of a file, without the newline, readable as it is: "<" stays "<".
func (e Entry) encode() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}
