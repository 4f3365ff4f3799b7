package moduletest

import (
	"encoding/json"
	"slices"
	"sync"
)

// Log returns the module's log so far, each line as its fields: "level", "message", "time", "module" and what the line has
// besides.
func (h *Harness) Log() []map[string]any {
	h.log.mu.Lock()
	defer h.log.mu.Unlock()
	return slices.Clone(h.log.all)
}

// lines keeps what a logger writes, one line at a time.
type lines struct {
	mu  sync.Mutex
	all []map[string]any
}

func (l *lines) Write(b []byte) (int, error) {
	var line map[string]any
	if err := json.Unmarshal(b, &line); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
	return len(b), nil
}
