package supervisor

import (
	"fmt"
	"slices"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// topic is one name that callers use: who provides it now and who waits for it. The router's lock guards it.
type topic struct {
	name      string
	rules     manifest.Service // of the module that comes first in start order; concurrency and idempotent are each provider's own
	modules   []string         // names of those that declare it, ready or not
	declared  []*manifest.Module
	byHand    bool // a person steps through the module: no default deadline
	providers []*provider
	queue     []*waiter // by priority, then by arrival
	drained   rate      // how fast calls leave, for retry_after
	counts    counts
	reports   map[string]*reported // by code
}

// waiter is a call in a topic's queue.
type waiter struct {
	priority ipc.Priority
	number   uint64 // grows with each waiter, whatever its topic
	flight   *flight
	granted  chan *provider // buffered; receives at most one
}

// fitting are the providers that may get f.
func (t *topic) fitting(f *flight) []*provider {
	if f.target == "" {
		return t.providers
	}
	return slices.DeleteFunc(slices.Clone(t.providers), func(p *provider) bool { return !f.fits(p.instance.id) })
}

// narrow sets who of those that declare the topic may get f, and reports whether there is anybody.
func (t *topic) narrow(f *flight) bool {
	if f.modules = t.modules; f.target == "" {
		return true
	}
	f.modules = nil
	for _, m := range t.declared {
		for n := range m.Scale.Instances {
			if f.fits(ipc.ModuleID{Name: m.Name, Version: m.Version, Instance: n + 1}) {
				f.modules = []string{m.Name}
				return true
			}
		}
	}
	return false
}

// choose picks the free provider with the fewest open calls for f; nil if there is none.
func (t *topic) choose(f *flight) (best *provider) {
	for _, p := range t.fitting(f) {
		if p.free(t) && (best == nil || len(p.open) < len(best.open)) {
			best = p
		}
	}
	return best
}

// enqueue puts w behind the waiters of its priority and before those of a lower one.
func (t *topic) enqueue(w *waiter) {
	i := len(t.queue)
	for i > 0 && t.queue[i-1].priority < w.priority {
		i--
	}
	t.queue = slices.Insert(t.queue, i, w)
}

// first is who of those in the queue that p may serve is next: the highest priority, or whoever has waited longest.
func (t *topic) first(p *provider, byAge bool) (next *waiter) {
	for _, w := range t.queue {
		if w.flight.fits(p.instance.id) && (next == nil || w.number < next.number) {
			if next = w; !byAge {
				break
			}
		}
	}
	return next
}

// leave takes w out of the queue and reports whether it was still there.
func (t *topic) leave(w *waiter) bool {
	i := slices.Index(t.queue, w)
	if i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
	}
	return i >= 0
}

// provider is a running instance as the router sees it. The router's lock guards what changes.
type provider struct {
	instance *instance
	talk     conversation
	limit    int                         // calls at once, all topics together
	serial   bool                        // nothing but cancel and shutdown may be sent while a call is open
	topics   map[string]manifest.Service // what it provides

	open     map[*flight]*topic // calls that hold a slot: the module owes an answer
	lost     []delivery         // the first of those that it will never answer
	turn     int                // slots given to calls that waited
	perTopic map[string]int     // the same, counted by topic
	reserved bool               // for a health check of a serial module, which must not meet a call
	attached bool               // takes new calls
	idle     chan struct{}      // closed when detached and nothing is open
}

// free reports whether the provider can take one more call on the topic now.
func (p *provider) free(t *topic) bool {
	limit := p.topics[t.name].Concurrency
	return p.attached && !p.reserved && len(p.open) < p.limit && (limit == 0 || p.perTopic[t.name] < limit)
}

// alone reports whether no other instance can provide the topic.
func (p *provider) alone(t *topic) bool {
	_, provides := p.topics[t.name]
	return provides && len(t.modules) == 1 && p.instance.module.Scale.Instances == 1
}

func (p *provider) occupy(t *topic, f *flight) {
	p.open[f] = t
	p.perTopic[t.name]++
	f.provider = p
}

// keepLost is how many lost calls of an instance are remembered for its crash report.
const keepLost = 64

func (p *provider) lose(d delivery) {
	if len(p.lost) < keepLost {
		p.lost = append(p.lost, d)
	}
}

func (p *provider) checkIdle() {
	if p.attached || len(p.open) > 0 || isDone(p.idle) {
		return
	}
	close(p.idle)
}

// rate estimates a flow of events: an exponentially weighted mean of the time between them.
type rate struct {
	last time.Time
	gap  time.Duration
}

// idle means that the time until the next event says nothing about the rate.
func (r *rate) idle() { r.last = time.Time{} }

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

// reported keeps an overload from washing everything else out of the journal.
type reported struct {
	last    time.Time
	skipped int
}

// reportGap is how often calls of one topic that end with the same code are journaled one by one.
const reportGap = time.Second

// report journals how a call ended, or counts it for the next entry of its kind.
func (r *router) report(t *topic, e Entry) {
	if t == nil {
		t = &r.door
	}
	now := time.Now()
	r.mu.Lock()
	if e.Kind == KindRefused { // it never was a call
		t.counts.fail(ipc.NotDelivered, e.Code)
	}
	seen := t.reports[e.Code]
	if seen == nil {
		seen = &reported{}
		t.reports[e.Code] = seen
	}
	if now.Sub(seen.last) < reportGap {
		seen.skipped++
		r.mu.Unlock()
		return
	}
	if seen.skipped > 0 {
		e.Text += fmt.Sprintf(" (and %d more like it before)", seen.skipped)
	}
	*seen = reported{last: now}
	r.mu.Unlock()
	r.journal.add(e)
}
