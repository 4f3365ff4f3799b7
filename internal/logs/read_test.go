package logs_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/logs"
)

const maxLine = 64 << 10

var arrival = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func now() time.Time { return arrival }

// read returns the entries of what press's instance 2 wrote to the stream.
func read(t testing.TB, stream string, r io.Reader) []logs.Entry {
	t.Helper()
	var out []logs.Entry
	err := logs.Read(r, logs.Source{Module: "press", Instance: 2, Stream: stream}, now, func(e logs.Entry) { out = append(out, e) })
	require.NoError(t, err)
	return out
}

func messages(entries []logs.Entry) []string {
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Message)
	}
	return out
}

func TestPlainLines(t *testing.T) {
	for _, test := range []struct {
		name, in string
		messages []string
	}{
		{"nothing", "", []string{}},
		{"lines", "a\nb\n", []string{"a", "b"}},
		{"the last one without an end", "a\nb", []string{"a", "b"}},
		{"empty ones", "\n\na\n\r\n\nb\n\n", []string{"a", "b"}},
		{"with carriage returns", "a\r\nb\r", []string{"a", "b"}},
		{"a progress bar", "10%\r20%\r100%\r\n", []string{`10%\r20%\r100%`}},
		{"a tab", "\ta\tb\n", []string{"\ta\tb"}},
		{"not UTF-8", "a\xffb\xc3\n\xe2\x82\n", []string{"a\ufffdb\ufffd", "\ufffd"}},
		{"other scripts", "Größe 12 µm ✓ 日本 שלום\n", []string{"Größe 12 µm ✓ 日本 שלום"}},
		{"zeros", "a\x00b\n", []string{`a\x00b`}},
		{"colours", "\x1b[1;31mred\x1b[0m \x1b(B\x1b[mplain\n", []string{"red plain"}},
		{"title and link of a terminal", "\x1b]0;title\x07a \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", []string{"a link"}},
		{"reset and cursor", "\x1bca\x1b7\x1b[2J\x1b[3;4Hb\n", []string{"ab"}},
		{"a sequence hidden in another", "\x1b\x1b[m[2Ja\n", []string{`\x1b[2Ja`}},
		{"an unfinished sequence", "a\x1b[3\nb\x1b]0;title\n", []string{`a\x1b[3`, `b\x1b]0;title`}},
		{"eight-bit sequences", "\u009b2Ja\u0085b\x7f\b\a\n", []string{`\u009b2Ja\u0085b\x7f\b\a`}},
		{"reversed text", "a\u202eb\u2066c\n", []string{`a\u202eb\u2066c`}},
		{"data", "{\"ok\":true}\n[1]\n{\"level\":7}\n{\"level\":\"L7\"}\n{\"message\":\n", []string{`{"ok":true}`, "[1]", `{"level":7}`, `{"level":"L7"}`, `{"message":`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			entries := read(t, logs.Stdout, strings.NewReader(test.in))
			require.Equal(t, test.messages, messages(entries))
			for _, e := range entries {
				want := logs.Entry{Time: arrival, Received: arrival, Module: "press", Instance: 2, Stream: "stdout", Level: "info", Message: e.Message}
				require.Equal(t, want, e)
			}
		})
	}
}

func TestJSONLines(t *testing.T) {
	stamp := time.Date(2026, 3, 1, 11, 59, 58, 500_000_000, time.UTC)
	for _, test := range []struct {
		name, in       string
		level, message string
		time           time.Time
		fields         string
	}{
		{"the SDK's logger", `{"level":"warn","time":"2026-03-01T11:59:58.5Z","message":"hot","module":"press:1.0.0/instance-002","temp":81.5}`,
			"warn", "hot", stamp, `{"temp":81.5}`},
		{"another module's id", `{"level":"warn","message":"m","module":"mill:1.0.0"}`, "warn", "m", arrival, `{"module":"mill:1.0.0"}`},
		{"slog", `{"time":"2026-03-01T12:59:58.5+01:00","level":"DEBUG-4","msg":"m"}`, "debug", "m", stamp, ``},
		{"no level", ` {"msg":"m"} `, "info", "m", arrival, ``},
		{"no message", `{"level":"error","error":"broken"}`, "error", "", arrival, `{"error":"broken"}`},
		{"both messages", `{"message":"a","msg":"b"}`, "info", "a", arrival, `{"msg":"b"}`},
		{"a message that is no string", `{"level":"info","message":{"a":1}}`, "info", "", arrival, `{"message":{"a":1}}`},
		{"times of other shapes", `{"msg":"m","time":1772366398}`, "info", "m", arrival, `{"time":1772366398}`},
		{"half a minute ahead", `{"msg":"m","time":"2026-03-01T12:00:30Z"}`, "info", "m", arrival.Truncate(time.Minute).Add(30 * time.Second), ``},
		{"two minutes ago", `{"msg":"m","time":"2026-03-01T11:58:00.1Z"}`, "info", "m", arrival, `{"time":"2026-03-01T11:58:00.1Z"}`},
		{"two minutes ahead", `{"msg":"m","time":"2026-03-01T12:02:00.2Z"}`, "info", "m", arrival, `{"time":"2026-03-01T12:02:00.2Z"}`},
		{"a time before all times", `{"msg":"m","time":"0000-01-01T00:00:00+14:00"}`, "info", "m", arrival, `{"time":"0000-01-01T00:00:00+14:00"}`},
		{"an unknown level", `{"msg":"m","level":"loud"}`, "info", "m", arrival, `{"level":"loud"}`},
		{"nested fields, exact numbers", `{"msg":"m","a":{"b":[1, {"c": 12345678901234567890}]},"d":1.10,"e":null,"f":"<&>"}`,
			"info", "m", arrival, `{"a":{"b":[1,{"c":12345678901234567890}]},"d":1.10,"e":null,"f":"<&>"}`},
		{"control characters", `{"msg":"a\u001b[31mb\u0000","k\u001b[2J\u0007":"\u001b[2J` + "\u009b\x7f\u202e" + `"}`,
			"info", `ab\x00`, arrival, `{"k\\a":"\u001b[2J\u009b\u007f\u202e"}`},
		{"carriage returns between members", "{\"msg\":\"a\",\r\"b\":{\r\"c\":1}}", "info", "a", arrival, `{"b":{"c":1}}`},
		{"a message of several lines", `{"msg":"a\n\tb\r"}`, "info", "a\n\tb\\r", arrival, ``},
		{"not UTF-8", "{\"msg\":\"a\xff\",\"b\xfe\":\"\xfd\"}", "info", "a\ufffd", arrival, "{\"b\ufffd\":\"\ufffd\"}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			entries := read(t, logs.Stderr, strings.NewReader(test.in+"\n"))
			require.Len(t, entries, 1)
			e := entries[0]
			require.Equal(t, test.level, e.Level)
			require.Equal(t, test.message, e.Message)
			require.Equal(t, test.time, e.Time)
			require.Equal(t, arrival, e.Received)
			fields := ""
			if e.Fields != nil {
				fields = encode(t, e.Fields)
			}
			require.Equal(t, test.fields, fields)
		})
	}
}

func encode(t testing.TB, v any) string {
	t.Helper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	require.NoError(t, encoder.Encode(v))
	return strings.TrimSpace(b.String())
}

func TestLevels(t *testing.T) {
	for word, level := range map[string]string{
		"trace": "debug", "DEBUG": "debug", "Info": "info", "notice": "info", "WARNING": "warn", "warn": "warn", "WARN+2": "warn",
		"err": "error", "error": "error", "CRITICAL": "error", "fatal": "error", "panic": "error",
	} {
		entries := read(t, logs.Stdout, strings.NewReader(`{"level":"`+word+`","msg":""}`))
		require.Len(t, entries, 1)
		require.Equal(t, level, entries[0].Level, word)
	}
}

// Lines that must be at level error are marked with a "!".
func TestCrashesOnStderr(t *testing.T) {
	for _, test := range []struct{ name, in string }{
		{"plain", " starting\n connected to Error\n don't panic: all is well\n"},
		{"python", " before\n!Traceback (most recent call last):\n!  File \"a.py\", line 1, in <module>\n!    import numpy\n!ModuleNotFoundError: No module named 'numpy'\n after\n"},
		{"python, chained", "!Traceback (most recent call last):\n!  File\n!ValueError: a\n\n During handling of the above exception, another exception occurred:\n\n!Traceback (most recent call last):\n!  File\n!press.Halt: b\n after\n"},
		{"python, before the program runs", "   File \"a.py\", line 3\n!SyntaxError: invalid syntax\n"},
		{"python, interrupted", "!Traceback (most recent call last):\n!  File\n!KeyboardInterrupt\n"},
		{"go", " before\n!panic: oh\n\n!goroutine 1 [running]:\n!main.main()\n!\t/a.go:3 +0x1d\n!exit status 2\n"},
		{"go, fatal", "!fatal error: all goroutines are asleep - deadlock!\n"},
		{"go, a stack that is only shown", "!goroutine 7 [running]:\n main.main()\n"},
		{"in colours", "!\x1b[1mTraceback (most recent call last):\x1b[m\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var in strings.Builder
			var want []string
			for marked := range strings.Lines(test.in) {
				if marked == "\n" {
					in.WriteString(marked)
					continue
				}
				in.WriteString(marked[1:])
				want = append(want, map[byte]string{'!': "error", ' ': "info"}[marked[0]])
			}
			levels := func(stream string) []string {
				var out []string
				for _, e := range read(t, stream, strings.NewReader(in.String())) {
					out = append(out, e.Level)
				}
				return out
			}
			require.Equal(t, want, levels(logs.Stderr))
			require.NotContains(t, levels(logs.Stdout), "error")
		})
	}
}

func TestLongLines(t *testing.T) {
	for _, test := range []struct {
		name, line string
		pieces     []int
	}{
		{"as long as may be", strings.Repeat("x", maxLine), []int{maxLine}},
		{"one byte longer", strings.Repeat("x", maxLine+1), []int{maxLine, 1}},
		{"two bytes longer", strings.Repeat("x", maxLine+2), []int{maxLine, 2}},
		{"200 KiB", strings.Repeat("x", 200<<10), []int{maxLine, maxLine, maxLine, 8 << 10}},
		{"a character on the edge", strings.Repeat("x", maxLine-1) + "€" + "y", []int{maxLine - 1, 4}},
		{"no text at all", strings.Repeat("\x80", maxLine+10), []int{3, 3}},
		{"JSON", `{"msg":"` + strings.Repeat("x", maxLine) + `"}`, []int{maxLine, 10}},
	} {
		for _, end := range []string{"", "\n", "\r\n", "\nnext\n"} {
			t.Run(test.name+" "+strings.TrimSpace(end), func(t *testing.T) {
				entries := read(t, logs.Stderr, strings.NewReader(test.line+end))
				if strings.Contains(end, "next") {
					last := entries[len(entries)-1]
					require.Equal(t, "next", last.Message)
					require.Empty(t, last.Piece)
					entries = entries[:len(entries)-1]
				}
				pieces := []int{}
				for i, e := range entries {
					pieces = append(pieces, len(e.Message))
					want := logs.Middle
					switch {
					case len(entries) == 1:
						want = ""
					case i == 0:
						want = logs.First
					case i == len(entries)-1:
						want = logs.Last
					}
					require.Equal(t, want, e.Piece)
				}
				require.Equal(t, test.pieces, pieces)
				if utf8.ValidString(test.line) {
					require.Equal(t, test.line, strings.Join(messages(entries), ""))
				}
			})
		}
	}
}

func TestPiecesHaveTheLevelOfTheirLine(t *testing.T) {
	in := "TypeError: " + strings.Repeat("x", maxLine) + "\nplain\n"
	entries := read(t, logs.Stderr, strings.NewReader(in))
	require.Len(t, entries, 3)
	require.Equal(t, []string{"error", "error", "info"}, []string{entries[0].Level, entries[1].Level, entries[2].Level})
}

func TestStreamThatBreaksOff(t *testing.T) {
	broken := errors.New("broken")
	var got []logs.Entry
	r := io.MultiReader(strings.NewReader("a\nhalf"), iotest.ErrReader(broken))
	err := logs.Read(r, logs.Source{}, now, func(e logs.Entry) { got = append(got, e) })
	require.ErrorIs(t, err, broken)
	require.Equal(t, []string{"a", "half"}, messages(got))
}
