package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"unicode"

	"golang.org/x/term"
)

// errNobodyReads is why a command ends when the reader of its output has gone.
var errNobodyReads = errors.New("nobody reads the output")

// output is stdout or stderr, for any number of writers at once. They need not look at errors: when nobody reads any more, the command's ctx ends.
type output struct {
	mu     sync.Mutex
	w      io.Writer
	cancel context.CancelCauseFunc
}

func newOutput(w io.Writer, cancel context.CancelCauseFunc) *output {
	return &output{w: w, cancel: cancel}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	n, err := o.w.Write(p)
	o.mu.Unlock()
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		o.cancel(errNobodyReads)
	}
	return n, err
}

// terminal reports whether a person looks at the output.
func (o *output) terminal() bool {
	f, ok := o.w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// size returns the columns and rows of the terminal; without one, as if it were very large.
func (o *output) size() (columns, rows int) {
	if f, ok := o.w.(*os.File); ok {
		if columns, rows, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 && rows > 0 {
			return columns, rows
		}
	}
	return 1 << 20, 1 << 20
}

// json writes a value for programs.
func (o *output) json(v any) error {
	encoder := json.NewEncoder(o)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// printable keeps what a module wrote from playing with the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' && r != '\n' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// oneLine is printable without line ends.
func oneLine(s string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(printable(strings.TrimRight(s, "\n")))
}
