package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/supervisor"
)

// lines shows what a supervisor does and its modules write, a line for each.
type lines struct {
	entry func(supervisor.Entry)
	log   func(logs.Entry)
	note  func(string)
}

func (l *lines) say(text string)                  { l.note(text) }
func (l *lines) watch(sup *supervisor.Supervisor) { follow(sup, l.entry, l.log) }

// newTextLines are lines for people.
func newTextLines(out *output) *lines {
	return &lines{
		entry: func(e supervisor.Entry) { fmt.Fprintln(out, entryLine(e, time.Now())) },
		log:   func(e logs.Entry) { fmt.Fprintln(out, logLine(e, time.Now())) },
		note:  func(text string) { fmt.Fprintln(out, text) },
	}
}

// newJSONLines are lines for a log collector: level, time and message everywhere, and what else is known.
func newJSONLines(out *output) *lines {
	log := zerolog.New(out)
	return &lines{
		entry: func(e supervisor.Entry) {
			log.WithLevel(entryLevel(e)).Str("time", stamp(e.Time)).EmbedObject(journalFields(e)).Msg(e.String())
		},
		log: func(e logs.Entry) {
			log.WithLevel(parseLevel(e.Level)).Str("time", stamp(e.Time)).EmbedObject(logFields(e)).Msg(e.Message)
		},
		note: func(text string) { log.Info().Str("time", stamp(time.Now())).Msg(text) },
	}
}

// journalFields are the members of an entry beside its time and text; those that are not set are left out.
type journalFields supervisor.Entry

// MarshalZerologObject implements zerolog.LogObjectMarshaler.
func (e journalFields) MarshalZerologObject(z *zerolog.Event) {
	text := func(name, value string) {
		if value != "" {
			z.Str(name, value)
		}
	}
	number := func(name string, value int64) {
		if value != 0 {
			z.Int64(name, value)
		}
	}
	text("kind", string(e.Kind))
	text("module", e.Module)
	number("instance", int64(e.Instance))
	text("state", string(e.State))
	number("pid", int64(e.PID))
	number("delay_ms", e.DelayMS)
	text("topic", e.Topic)
	text("code", e.Code)
	text("call_id", e.CallID)
	text("trace_id", e.TraceID)
}

// logFields are the members of a log entry beside its time, level and message; those that are not set are left out.
type logFields logs.Entry

// MarshalZerologObject implements zerolog.LogObjectMarshaler.
func (e logFields) MarshalZerologObject(z *zerolog.Event) {
	z.Str("module", e.Module).Int("instance", e.Instance).Str("stream", e.Stream)
	if len(e.Fields) > 0 {
		z.Interface("fields", e.Fields)
	}
	if e.Piece != "" {
		z.Str("piece", e.Piece)
	}
}

// follow hands over journal and log as they come and returns when both have ended.
func follow(sup *supervisor.Supervisor, entry func(supervisor.Entry), log func(logs.Entry)) {
	var logging sync.WaitGroup
	defer logging.Wait()
	var store *logs.Store
	for e := range sup.Journal().Follow(context.Background(), 0) {
		if store == nil {
			if store = sup.Logs(); store != nil {
				logging.Go(func() {
					followLogs(store, log)
				})
			}
		}
		entry(e)
	}
}

// replay is how many lines may have been written before following them began.
const replay = 1000

// followLogs hands over all that the modules of this run write, until the store is closed.
func followLogs(store *logs.Store, show func(logs.Entry)) {
	coming := store.Follow(context.Background(), "", 0)
	kept, _ := store.Tail("", replay) // what cannot be read is of an earlier run
	var seen uint64
	for _, e := range kept {
		if !e.Received.IsZero() {
			show(e)
			seen = e.Seq
		}
	}
	for e, lost := range coming {
		if lost > 0 {
			show(logs.Entry{Time: e.Time, Level: logs.LevelWarn, Module: e.Module, Message: missing(lost)})
		}
		if e.Seq > seen {
			show(e)
		}
	}
}

// missing says that somebody was too slow.
func missing(n int) string {
	return fmt.Sprintf("%d lines are not shown: they came faster than they could be written", n)
}

// buildLines shows nothing but builds: those take long, and everything else of a single call is its answer.
type buildLines struct{ out *output }

func (buildLines) say(string) {}

func (l buildLines) watch(sup *supervisor.Supervisor) {
	begun := "" // what stands on an unfinished line, and its module
	module := ""
	for e := range sup.Journal().Follow(context.Background(), 0) {
		text := printable(beside(e.Text))
		switch {
		case e.Kind == supervisor.KindState && strings.HasPrefix(text, "building "):
			begun, module = text+" ...", e.Module
			fmt.Fprint(l.out, begun)
		case e.Kind == supervisor.KindBuild:
			fmt.Fprintln(l.out, strings.TrimPrefix(text, begun))
			begun, module = "", ""
		case e.Module == module && begun != "":
			fmt.Fprintln(l.out, " failed")
			begun, module = "", ""
		}
	}
}
