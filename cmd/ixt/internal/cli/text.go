package cli

import (
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

// entryLine is a journal entry for people.
func entryLine(e supervisor.Entry) string {
	return fmt.Sprintf("%s %s %s", clock(e.Time), levelName(entryLevel(e)), indent(beside(e.String())))
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

// logLine is what a module wrote for people; a bar tells it from what the supervisor says of the module.
func logLine(e logs.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", clock(e.Time), levelName(parseLevel(e.Level)), e.Module)
	if e.Instance != 0 {
		fmt.Fprintf(&b, "/%03d", e.Instance)
	}
	b.WriteString(" | " + indent(e.Message))
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		fmt.Fprintf(&b, " %s=%s", oneLine(name), printable(string(e.Fields[name])))
	}
	return b.String()
}

// stamp is a time for programs.
func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }

// clock is a time for people who look at today.
func clock(t time.Time) string { return t.Local().Format("15:04:05.000") }

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
