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
	name     string
	rules    manifest.Service // of the module that comes first in start order; concurrency and idempotent are each provider's own
	modules  []string         // names of those that declare it, ready or not
	declared []*manifest.Module
	byHand   bool      // a person steps through the module: no default deadline
	offers   []*offer  // of those who take calls now
	queue    []*waiter // by priority, then by arrival
	drained  rate      // how fast calls leave, for retry_after
	counts   counts
	reports  map[string]*reported // by code
}

// timeout is the time a call has; 0: any.
func (t *topic) timeout() time.Duration {
	if t.byHand {
		return 0
	}
	return t.rules.Timeout.Std()
}

// fitting are the offers of those who may get f.
func (t *topic) fitting(f *flight) []*offer {
	if f.msg.Target == "" {
		return t.offers
	}
	return slices.DeleteFunc(slices.Clone(t.offers), func(o *offer) bool { return !f.fits(o.provider.instance.id) })
}

// orphaned reports whether nobody who may get f is there now.
func (t *topic) orphaned(f *flight) bool { return len(t.fitting(f)) == 0 }

// narrow sets who of those that declare the topic may get f, and reports whether there is anybody.
func (t *topic) narrow(f *flight) bool {
	if f.modules = t.modules; f.msg.Target == "" {
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

// take gives f a slot of the free provider with the fewest open calls; nil if there is none. Nobody waits for it then, or it would
// not be free.
func (t *topic) take(f *flight) *delivery {
	var best *offer
	for _, o := range t.fitting(f) {
		if o.free() && (best == nil || len(o.provider.open) < len(best.provider.open)) {
			best = o
		}
	}
	if best == nil {
		return nil
	}
	return best.occupy(f)
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
	router   *router // set when it is attached first
	talk     conversation
	limit    int  // calls at once, all topics together
	serial   bool // nothing but cancel and shutdown may be sent while a call is open

	offers   []*offer      // what it provides
	open     []*delivery   // those that hold a slot: the module owes an answer
	lost     []*delivery   // the first of those that it will never answer
	turn     int           // slots given to calls that waited
	reserved bool          // for a health check of a serial module, which must not meet a call
	attached bool          // takes new calls
	idle     chan struct{} // closed when detached and nothing is open
}

// alone reports whether no other instance can provide the topic.
func (p *provider) alone(t *topic) bool {
	_, provides := p.instance.module.Services[t.name]
	return provides && len(t.modules) == 1 && p.instance.module.Scale.Instances == 1
}

// offer is a topic as one provider has it. The router's lock guards what changes.
type offer struct {
	provider *provider
	topic    *topic
	rules    manifest.Service
	open     int // calls on the topic that hold a slot
}

// free reports whether the provider can take one more call on the topic now.
func (o *offer) free() bool {
	p, limit := o.provider, o.rules.Concurrency
	return p.attached && !p.reserved && len(p.open) < p.limit && (limit == 0 || o.open < limit)
}

// occupy gives f a slot.
func (o *offer) occupy(f *flight) *delivery {
	p := o.provider
	d := &f.first
	if d.flight != nil {
		d = new(delivery)
	}
	d.flight, d.offer, d.place = f, o, len(p.open)
	p.open = append(p.open, d)
	o.open++
	f.provider = p
	return d
}

// vacate gives the slot back.
func (d *delivery) vacate() {
	open := &d.offer.provider.open
	last := len(*open) - 1
	moved := (*open)[last]
	moved.place, (*open)[d.place] = d.place, moved
	(*open)[last], *open = nil, (*open)[:last]
	d.offer.open--
}

// keepLost is how many lost calls of an instance are remembered for its crash report.
const keepLost = 64

func (p *provider) lose(d *delivery) {
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

// event counts one. Unless more are wanted already, the time until the next says nothing about the rate.
func (r *rate) event(wanted bool) {
	if !wanted && r.last.IsZero() {
		return
	}
	now := time.Now()
	if !r.last.IsZero() {
		gap := min(now.Sub(r.last), 10*time.Second)
		if r.gap == 0 {
			r.gap = gap
		}
		r.gap += (gap - r.gap) / 8
	}
	if r.last = now; !wanted {
		r.last = time.Time{}
	}
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
