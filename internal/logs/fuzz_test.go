package logs_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/logs"
)

// FuzzRead writes any bytes as a module. The entries must be bounded, safe to print and the same however the bytes arrive, and
// survive the way through a file.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"a\nb\r\n\n", `{"level":"info","time":"2026-03-01T11:59:58Z","message":"m","a":{"b":[1]}}` + "\n", "\x1b[31mred\x1b]0;t\x07\x1b\x1b[m[2J",
		"Traceback (most recent call last):\n  File\nE: x\n", "panic: x\n\ngoroutine 1 [running]:\n", "\xff\x00\u009b\u202e\n", "{\"msg\":\"\x7f\\u001b\",\r\"\u0085\":\"\xff\"}",
	} {
		f.Add([]byte(seed), 1)
	}
	f.Add([]byte("xyz€\r"), maxLine/4)
	f.Fuzz(func(t *testing.T, in []byte, times int) {
		in = bytes.Repeat(in, 1+min(max(times, 0), 4*maxLine/(1+len(in))))
		entries := read(t, logs.Stderr, bytes.NewReader(in))
		within := false // a line of which there was a piece
		for _, e := range entries {
			require.Equal(t, within, e.Piece == logs.Middle || e.Piece == logs.Last)
			within = e.Piece == logs.First || e.Piece == logs.Middle
			requireSafe(t, e)
			line, err := json.Marshal(e)
			require.NoError(t, err)
			var back logs.Entry
			require.NoError(t, json.Unmarshal(line, &back))
			require.Equal(t, e.Message, back.Message)
			require.True(t, e.Time.Equal(back.Time))
		}
		require.False(t, within)
		for _, slow := range []io.Reader{iotest.HalfReader(bytes.NewReader(in)), iotest.DataErrReader(bytes.NewReader(in))} {
			require.Equal(t, entries, read(t, logs.Stderr, slow))
		}
	})
}

func requireSafe(t *testing.T, e logs.Entry) {
	t.Helper()
	size := len(e.Message)
	texts := []string{e.Message}
	for name, value := range e.Fields {
		size += len(name) + len(value)
		texts = append(texts, name, string(value))
		require.True(t, json.Valid(value))
	}
	require.LessOrEqual(t, size, 6*maxLine) // every byte may have become an escape
	for _, text := range texts {
		require.True(t, utf8.ValidString(text))
		hostile := strings.IndexFunc(text, func(r rune) bool {
			return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) && r > 0x200f
		})
		require.Negative(t, hostile, "%q", text)
	}
	require.Contains(t, []string{"debug", "info", "warn", "error"}, e.Level)
}
