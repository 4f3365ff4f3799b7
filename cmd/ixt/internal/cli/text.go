package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/supervisor"
)

// entryLine is a journal entry for people who look at a day.
func entryLine(e supervisor.Entry, day time.Time) string {
	return fmt.Sprintf("%s %s %s", clock(e.Time, day), levelName(entryLevel(e)), indent(beside(e.String())))
}

// entryLevel is how much an entry matters.
func entryLevel(e supervisor.Entry) zerolog.Level {
	switch {
	case e.State == supervisor.Failed:
		return zerolog.ErrorLevel
	case e.State == supervisor.Backoff, e.Kind == supervisor.KindWarning, e.Kind == supervisor.KindRefused, e.Kind == supervisor.KindCall:
		return zerolog.WarnLevel
	}
	return zerolog.InfoLevel
}

// logLine is what a module wrote for people who look at a day; a bar tells it from what the supervisor says of the module. Fields of
// several lines, such as a stack, follow below.
func logLine(e logs.Entry, day time.Time) string {
	var line, below strings.Builder
	fmt.Fprintf(&line, "%s %s %s", clock(e.Time, day), levelName(parseLevel(e.Level)), e.Module)
	if e.Instance != 0 {
		fmt.Fprintf(&line, "/%03d", e.Instance)
	}
	line.WriteString(" | " + indent(pieced(e)))
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		if text := linesOf(e.Fields[name]); len(text) > 1 {
			fmt.Fprintf(&below, "\n    %s\n      %s", oneLine(name), strings.Join(text, "\n      "))
		} else {
			fmt.Fprintf(&line, " %s=%s", oneLine(name), printable(string(e.Fields[name])))
		}
	}
	return line.String() + below.String()
}

// pieced is the message, with marks where the line goes on in the entries around it.
func pieced(e logs.Entry) string {
	text := e.Message
	if e.Piece == logs.Middle || e.Piece == logs.Last {
		text = "…" + text
	}
	if e.Piece == logs.First || e.Piece == logs.Middle {
		text += "…"
	}
	return text
}

// linesOf are the lines of a field that is text.
func linesOf(field json.RawMessage) []string {
	var text string
	if json.Unmarshal(field, &text) != nil {
		return nil
	}
	return strings.Split(printable(strings.TrimRight(text, "\n")), "\n")
}

// stamp is a time for programs.
func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }

// clock is a time for people who look at a day, with the date if it is of another one.
func clock(t, day time.Time) string {
	const hours = "15:04:05.000"
	if t, day = t.Local(), day.Local(); t.Format(time.DateOnly) != day.Format(time.DateOnly) {
		return t.Format(time.DateOnly + " " + hours)
	}
	return t.Format(hours)
}

func levelName(level zerolog.Level) string { return zerolog.FormattedLevels[level] }

func parseLevel(text string) zerolog.Level {
	level, err := zerolog.ParseLevel(text)
	if err != nil || level == zerolog.NoLevel {
		return zerolog.InfoLevel
	}
	return level
}

// indent keeps text of several lines apart from the lines that follow.
func indent(text string) string { return strings.ReplaceAll(printable(text), "\n", "\n    ") }

// beside shortens the paths in a text that are below the working directory.
func beside(text string) string {
	here, err := os.Getwd()
	if err != nil {
		return text
	}
	return strings.ReplaceAll(text, here+string(filepath.Separator), "")
}
