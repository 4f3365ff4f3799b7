package supervisor

import (
	"slices"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// topic is one name that callers use: who provides it now and who waits for it. The Router's lock guards it.
type topic struct {
	name      string
	rules     manifest.Service
	modules   []string // names of those that declare it, ready or not
	providers []*provider
	queue     []*waiter // by priority, then by arrival
	drained   rate      // how fast calls leave, for retry_after
	counts    counts
}

// counts are a topic's totals since the start.
type counts struct{ done, failed, rejected, retried uint64 }

// provider is a ready instance as the router sees it.
type provider struct {
	instance *instance
	talk     Conversation
	limit    int                         // calls at once, all topics together
	serial   bool                        // nothing but cancel and shutdown may be sent while a call is open
	open     int                         // calls that hold a slot: the module owes an answer
	perTopic map[string]int              // the same by topic
	topics   map[string]manifest.Service // what it provides
	attached bool                        // takes new calls
	idle     chan struct{}               // closed when detached and open is 0
}

// free reports whether the provider can take one more call on the topic now.
func (p *provider) free(t *topic) bool {
	limit := p.topics[t.name].Concurrency
	return p.attached && p.open < p.limit && (limit == 0 || p.perTopic[t.name] < limit)
}

func (p *provider) occupy(t *topic) {
	p.open++
	p.perTopic[t.name]++
}

// waiter is a call in a topic's queue.
type waiter struct {
	priority ipc.Priority
	granted  chan *provider // buffered; receives at most one
}

// choose picks the free provider with the fewest open calls; nil if there is none. A provider in avoid is taken only if
// no other is attached.
func (t *topic) choose(avoid []*provider) *provider {
	pick := func(skip bool) (best *provider) {
		for _, p := range t.providers {
			if !p.free(t) || skip && slices.Contains(avoid, p) {
				continue
			}
			if best == nil || p.open < best.open {
				best = p
			}
		}
		return best
	}
	if best := pick(true); best != nil || len(avoid) == 0 {
		return best
	}
	return pick(false)
}

// enqueue puts w behind the waiters of its priority and before those of a lower one.
func (t *topic) enqueue(w *waiter) {
	i := len(t.queue)
	for i > 0 && t.queue[i-1].priority < w.priority {
		i--
	}
	t.queue = slices.Insert(t.queue, i, w)
}

// leave takes w out of the queue and reports whether it was still there.
func (t *topic) leave(w *waiter) bool {
	i := slices.Index(t.queue, w)
	if i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
	}
	return i >= 0
}

// rate estimates a flow of events: an exponentially weighted mean of the time between them.
type rate struct {
	last time.Time
	gap  time.Duration
}

func (r *rate) event(now time.Time) {
	if !r.last.IsZero() {
		gap := min(now.Sub(r.last), 10*time.Second)
		if r.gap == 0 {
			r.gap = gap
		}
		r.gap += (gap - r.gap) / 8
	}
	r.last = now
}

// after estimates when n more events will have passed, between a floor that keeps a caller from spinning and a minute.
func (r *rate) after(n int) time.Duration {
	if r.gap == 0 {
		return 100 * time.Millisecond
	}
	return min(max(time.Duration(n)*r.gap, 5*time.Millisecond), time.Minute)
}
