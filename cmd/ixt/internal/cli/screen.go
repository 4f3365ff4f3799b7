package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/supervisor"
)

const (
	frameTime  = 100 * time.Millisecond // between two drawings at least
	idleTime   = time.Second            // and at most, so that the times in the table are right
	maxPending = 64 << 10               // bytes of lines that wait for the next drawing
)

// screen is a terminal on which lines scroll by above a table of the modules. Each drawing takes the table away, writes
// the lines that came since, and puts a new table under them; nothing else of the terminal is touched.
type screen struct {
	out *output

	mu      sync.Mutex
	pending []byte                           // lines not yet written
	drawn   []int                            // lengths of the table's lines as they stand on the terminal
	modules func() []supervisor.ModuleStatus // nil: no table
	dirty   chan struct{}                    // holds one
}

func newScreen(out *output) *screen {
	return &screen{out: out, dirty: make(chan struct{}, 1)}
}

// say adds a line of our own.
func (s *screen) say(text string) { s.line(text) }

// watch shows the supervisor until its journal has ended. The table goes then, the lines stay.
func (s *screen) watch(sup *supervisor.Supervisor) {
	s.mu.Lock()
	s.modules = sup.Modules
	s.mu.Unlock()
	over := make(chan struct{})
	var drawing sync.WaitGroup
	drawing.Go(func() { s.keepDrawing(over) })
	follow(sup, func(e supervisor.Entry) { s.line(entryLine(e, time.Now())) }, func(e logs.Entry) { s.line(logLine(e, time.Now())) })
	close(over)
	drawing.Wait()
}

func (s *screen) keepDrawing(over <-chan struct{}) {
	tick := time.NewTicker(idleTime)
	defer tick.Stop()
	frame := time.NewTicker(frameTime)
	defer frame.Stop()
	for {
		s.mu.Lock()
		s.draw()
		s.mu.Unlock()
		select {
		case <-frame.C:
		case <-over:
		}
		select {
		case <-s.dirty:
		case <-tick.C:
		case <-over:
			s.mu.Lock()
			s.modules = nil
			s.draw()
			s.mu.Unlock()
			return
		}
	}
}

// line adds a line to those that scroll. More of them than a terminal can take hold the writer up, never the supervisor.
func (s *screen) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(append(s.pending, text...), '\n')
	if len(s.pending) > maxPending || s.modules == nil {
		s.draw()
	}
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// draw brings the terminal up to date with one write. s.mu is held.
func (s *screen) draw() {
	columns, rows := s.out.size()
	var b strings.Builder
	if up := height(s.drawn, columns); up > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA\x1b[J", up) // to where the table began, and everything below away
	}
	b.Write(s.pending)
	s.pending, s.drawn = s.pending[:0], s.drawn[:0]
	if s.modules != nil {
		for _, line := range s.area(columns-1, rows/2) {
			b.WriteString(line + "\n")
			s.drawn = append(s.drawn, utf8.RuneCountInString(line))
		}
	}
	_, _ = s.out.Write([]byte(b.String()))
}

// area is the table with a line above it, in at most so many rows.
func (s *screen) area(columns, rows int) []string {
	all := moduleTable(s.modules(), time.Now()).lines(columns)
	if rows = max(rows, 3); len(all) >= rows {
		more := len(all) - rows + 2
		all = append(all[:len(all)-more], cut(fmt.Sprintf("and %d more; `ixt ps` shows all", more), columns))
	}
	return append([]string{strings.Repeat("─", min(columns, 100))}, all...)
}

// height is how many rows lines of these lengths take; a terminal that was made narrower has wrapped them.
func height(lengths []int, columns int) int {
	rows := 0
	for _, n := range lengths {
		rows += max(1, (n+columns-1)/columns)
	}
	return rows
}
