package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/ixtrun/ixt/internal/ringfile"
)

// Kind says what a journal entry is about.
type Kind string

// The kinds of journal entries.
const (
	KindSupervisor   Kind = "supervisor"   // the supervisor itself started, stops, has stopped
	KindState        Kind = "state"        // an instance changed its state
	KindExit         Kind = "exit"         // a process ended
	KindCrash        Kind = "crash"        // a report about an abnormal end was written
	KindBuild        Kind = "build"        // a module was built
	KindRefused      Kind = "refused"      // a connection or a service request was refused
	KindCall         Kind = "call"         // a call ended without a module's answer
	KindSubscription Kind = "subscription" // a subscription goes on with another process
	KindWarning      Kind = "warning"      // something a person should know that stopped nothing
)

// Entry is one thing the supervisor saw or did. Which members are set depends on Kind.
type Entry struct {
	Seq      uint64    `json:"seq"` // grows by one; a gap means that a reader was too slow
	Time     time.Time `json:"time"`
	Kind     Kind      `json:"kind"`
	Module   string    `json:"module,omitempty"`   // name
	Instance int       `json:"instance,omitempty"` // from 1
	State    State     `json:"state,omitempty"`    // KindState: the new one
	Cause    string    `json:"cause,omitempty"`    // KindState after an end: why, as restart.on calls it, or "asked"
	PID      int       `json:"pid,omitempty"`
	Text     string    `json:"text"`               // one sentence: what happened and why
	DelayMS  int64     `json:"delay_ms,omitempty"` // KindState backoff: until the next attempt
	Topic    string    `json:"topic,omitempty"`    // KindCall
	Code     string    `json:"code,omitempty"`     // KindCall
	CallID   string    `json:"call_id,omitempty"`  // KindCall
	TraceID  string    `json:"trace_id,omitempty"` // KindCall
}

// String is the entry as a line for a terminal, without its time.
func (e Entry) String() string {
	var b strings.Builder
	if e.Module != "" {
		b.WriteString(e.Module)
		if e.Instance != 0 {
			fmt.Fprintf(&b, "/%03d", e.Instance)
		}
		b.WriteByte(' ')
	}
	if e.State != "" {
		b.WriteString(string(e.State))
		if e.Text != "" {
			b.WriteString(": ")
		}
	}
	b.WriteString(e.Text)
	if e.Topic != "" {
		fmt.Fprintf(&b, " (topic %s)", e.Topic)
	}
	return b.String()
}

// journalSize is how many entries stay in memory for readers that come later.
const journalSize = 4096

// Journal is what the supervisor saw and did, newest last: the one source of its log, its command line and its tests.
// It is safe for concurrent use; a slow reader never holds anybody up.
type Journal struct {
	mu      sync.Mutex
	ring    []Entry // the last journalSize entries; Seq n is at (n-1) % journalSize
	last    uint64
	counts  map[Kind]uint64
	arrived chan struct{} // closed and replaced with every entry
	closed  bool

	histories map[place]*History
}

func newJournal() *Journal {
	return &Journal{arrived: make(chan struct{}), counts: map[Kind]uint64{}, histories: map[place]*History{}}
}

func (j *Journal) add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.last++
	e.Seq, e.Time = j.last, time.Now()
	e.Topic, e.TraceID, e.CallID = strings.Clone(e.Topic), strings.Clone(e.TraceID), strings.Clone(e.CallID) // parts of frames, which need not be kept
	j.count(e)
	if len(j.ring) < journalSize {
		j.ring = append(j.ring, e)
	} else {
		j.ring[(e.Seq-1)%journalSize] = e
	}
	close(j.arrived)
	j.arrived = make(chan struct{})
}

// close ends every reader once it has read what is there.
func (j *Journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.closed {
		j.closed = true
		close(j.arrived)
	}
}

// Last returns up to n of the newest entries, oldest first.
func (j *Journal) Last(n int) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	n = min(max(n, 0), len(j.ring))
	out := make([]Entry, 0, n)
	for seq := j.last - uint64(n) + 1; seq <= j.last; seq++ {
		out = append(out, j.ring[(seq-1)%journalSize])
	}
	return out
}

// Seq returns the number of the newest entry, 0 if there is none.
func (j *Journal) Seq() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Follow yields every entry after the one numbered after, as they come, until ctx ends or the supervisor has stopped.
// A reader slower than the journal is long finds a gap in Seq.
func (j *Journal) Follow(ctx context.Context, after uint64) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for {
			j.mu.Lock()
			var batch []Entry
			oldest := j.last - uint64(len(j.ring)) + 1
			for seq := max(after+1, oldest); seq <= j.last; seq++ {
				batch = append(batch, j.ring[(seq-1)%journalSize])
			}
			arrived, closed := j.arrived, j.closed
			j.mu.Unlock()
			for _, e := range batch {
				if ctx.Err() != nil || !yield(e) {
					return
				}
				after = e.Seq
			}
			if len(batch) > 0 {
				continue
			}
			if closed {
				return
			}
			select {
			case <-arrived:
			case <-ctx.Done():
				return
			}
		}
	}
}

// keepIn writes every entry to file until the journal is closed. A slow disk makes gaps, a full one drops entries; neither
// holds anybody up.
func (j *Journal) keepIn(file *ringfile.File) {
	for e := range j.Follow(context.Background(), 0) {
		if line, err := json.Marshal(e); err == nil {
			_ = file.Append(line) // the file counts what it had to drop
		}
	}
}
