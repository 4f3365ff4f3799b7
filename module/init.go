package module

import (
	"fmt"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"github.com/ixtrun/ixt/ipc"
)

// Init is what Module.Init is given. It may be kept; Host and Log serve for the module's whole life.
type Init struct {
	ID     ModuleID       // who this instance is
	Config Config         // the effective configuration: the manifest's defaults and the operator's values
	Host   *Host          // calls to other modules, events, state and blobs
	Log    zerolog.Logger // JSON lines that reach the supervisor with level and fields

	// MaxConcurrency is how many calls the host may have open here at once. It arrives with the value of Options, 64 if
	// that names none; Init may change it. 1 means one call after the other.
	MaxConcurrency int

	topics mux
}

// Handle registers h for a topic; topics without a handler go to Module.Handle. A topic that is empty or registered twice
// fails the start once Init has returned. After that nothing can be registered any more: a late attempt is logged.
func (in *Init) Handle(topic string, h HandlerFunc) {
	if !in.topics.add(topic, h) {
		in.Log.Error().Str("topic", topic).Msg("a handler was registered after Init had returned; it will not be called")
	}
}

// mux finds the handler of a topic. It is filled during Init, then sealed and only read.
type mux struct {
	mu       sync.Mutex // guards everything until sealed
	sealed   bool
	handlers map[string]HandlerFunc
	problems []string
}

// add reports whether it was still possible.
func (m *mux) add(topic string, h HandlerFunc) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.sealed:
		return false
	case topic == "":
		m.problems = append(m.problems, "a handler has an empty topic")
	case h == nil:
		m.problems = append(m.problems, fmt.Sprintf("the handler of topic %q is nil", topic))
	case m.handlers[topic] != nil:
		m.problems = append(m.problems, fmt.Sprintf("topic %q has two handlers", topic))
	default:
		if m.handlers == nil {
			m.handlers = make(map[string]HandlerFunc)
		}
		m.handlers[topic] = h
	}
	return true
}

// seal ends registration and returns what was wrong with it.
func (m *mux) seal() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sealed = true
	if len(m.problems) == 0 {
		return nil
	}
	return Errorf(ipc.CodeInitFailed, "%s", strings.Join(m.problems, "; "))
}
