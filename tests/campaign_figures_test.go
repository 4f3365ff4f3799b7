package tests

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// peaks are the most that this process needed, the supervisor and the actors in it. One actor takes them.
type peaks struct {
	heap, resident uint64 // bytes
	goroutines     int
}

// observe looks at what this process needs.
func (a *actor) observe() {
	p := &a.peaks
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.heap, p.resident, p.goroutines = max(p.heap, m.HeapAlloc), max(p.resident, resident()), max(p.goroutines, runtime.NumGoroutine())
	pause(a.over, 500*time.Millisecond)
}

// resident is the memory that this process occupies, in bytes; 0 where the system does not tell.
func resident() (bytes uint64) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	_, _ = fmt.Sscan(string(text), new(uint64), &bytes)
	return bytes * uint64(os.Getpagesize())
}

// summary is what happened, for a person.
func (c *campaign) summary() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "\n  %-12s %s", name, fmt.Sprintf(format, args...))
	}
	calls := c.book.codes.sum()
	line("seed", "%d", c.seed)
	line("time", "%s, of which faults %s", time.Since(c.began).Round(time.Second), *campaignTime)
	line("calls", "%d: %s", calls, &c.book.codes)
	line("deliveries", "%d; %d calls sent to another instance; out of attempts: %s", c.deliveries, c.retried, &c.exhausted)
	line("latest end", "%s after its time", c.book.latest.Round(time.Millisecond))
	line("kills", "%d by %s", c.losses.sum()-c.losses.sum("SIGSTOP", "SIGCONT"), &c.losses)
	line("commands", "%d: %s", c.commands.sum(), &c.commands)
	line("processes", "%d spawned; they ended by %s", c.annals.spawned, &c.annals.exits)
	line("failures", "%d, by broken wires %d; crash reports %d, too many for the disk %d", c.annals.failures, c.annals.broken, c.annals.reports,
		c.annals.unreported)
	line("journal", "%d entries, %d times too fast for its reader", c.annals.last, c.annals.gaps)
	line("this process", "at most %d MiB heap, %d MiB resident, %d goroutines", c.peaks.heap>>20, c.peaks.resident>>20, c.peaks.goroutines)
	return b.String()
}

// tally counts things by name. It is safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (t *tally) count(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[name]++
}

// String lists the counts, the largest first.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := slices.SortedFunc(maps.Keys(t.counts), func(a, b string) int { return t.counts[b] - t.counts[a] })
	var words []string
	for _, name := range names {
		words = append(words, fmt.Sprintf("%s %d", name, t.counts[name]))
	}
	return strings.Join(words, ", ")
}

// sum is the total of some names; of all, if none is given.
func (t *tally) sum(names ...string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, count := range t.counts {
		if len(names) == 0 || slices.Contains(names, name) {
			n += count
		}
	}
	return n
}
