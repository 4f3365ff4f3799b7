package host

import (
	"fmt"
	"sync"
	"time"

	"github.com/ixtrun/ixt/supervisor"
)

// noteGap is the shortest time between two notes of one throttle.
const noteGap = time.Second

// throttle notes warnings about one thing, such that a flood of them does not wash the journal out: those that come too soon are
// counted, and the next has their number. It is safe for concurrent use.
type throttle struct {
	to     func(supervisor.Entry)
	module string // what they are about; "": none
	number int

	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (t *throttle) note(text string) {
	now := time.Now()
	t.mu.Lock()
	if now.Sub(t.last) < noteGap {
		t.skipped++
		t.mu.Unlock()
		return
	}
	if t.skipped > 0 {
		text += fmt.Sprintf(" (and %d more like it before)", t.skipped)
	}
	t.last, t.skipped = now, 0
	t.mu.Unlock()
	t.to(supervisor.Entry{Kind: supervisor.KindWarning, Module: t.module, Instance: t.number, Text: text})
}
