package module

import (
	"io"
	"time"

	"github.com/rs/zerolog"
)

// timeFormat has milliseconds, which zerolog's default lacks; that default is a global and not this package's to change.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// newLogger returns a logger of JSON lines with level, time and message. Each line is one Write, so that the lines of
// several goroutines stay whole.
func newLogger(w io.Writer) zerolog.Logger {
	stamp := zerolog.HookFunc(func(e *zerolog.Event, _ zerolog.Level, _ string) {
		e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format(timeFormat))
	})
	return zerolog.New(zerolog.SyncWriter(w)).Hook(stamp)
}
