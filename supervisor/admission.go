package supervisor

import (
	"context"
	"errors"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// acquire waits for a provider with a free slot and takes the slot.
func (r *router) acquire(ctx context.Context, t *topic, f *flight) (*provider, error) {
	w := &waiter{priority: min(max(f.msg.Priority, ipc.Low), ipc.Urgent), flight: f, granted: make(chan *provider, 1)}
	p, err := r.place(t, f, w)
	if p != nil || err != nil {
		return p, err
	}
	for {
		changed, orphaned := r.prospects(t, f)
		if orphaned {
			if r.elsewhere(f) && r.leave(t, w) {
				return nil, errElsewhere
			}
			r.demand(f.modules)
			if o := r.outlook(f.modules, f.deadline()); o.hopeless && r.leave(t, w) {
				return nil, ipc.Errorf(ipc.CodeUnavailable, "%s", o.why)
			}
		}
		select {
		case p := <-w.granted:
			return p, nil
		case <-changed:
		case <-ctx.Done():
			if !r.leave(t, w) {
				r.release(t, <-w.granted, delivery{flight: f}, false) // the slot came in the same moment
			}
			return nil, r.expired(ctx, t, f)
		}
	}
}

// place takes a slot at once, or queues w, or refuses.
func (r *router) place(t *topic, f *flight, w *waiter) (*provider, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.waitsForItself(t) {
		return nil, ipc.Errorf(ipc.CodeLoop, "the call to %s would wait for a call that waits for it; "+
			"let the module handle more calls at once (max_concurrency) or call it after answering", t.name)
	}
	if p := t.choose(f); p != nil { // nobody waits for it, or it would not be free
		p.occupy(t, f)
		return p, nil
	}
	limit := t.rules.Queue
	if len(t.fitting(f)) == 0 {
		limit = max(limit, 1) // somebody must wait for the first instance
	}
	if len(t.queue) >= limit {
		e := ipc.Errorf(ipc.CodeBusy, "%d calls already wait for %s, which is the limit", len(t.queue), t.name)
		e.RetryAfter = t.drained.after(1) // then there is a place in the queue
		return nil, e
	}
	r.queued++
	w.number = r.queued
	t.enqueue(w)
	return nil, nil
}

func (r *router) prospects(t *topic, f *flight) (changed <-chan struct{}, orphaned bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed, len(t.fitting(f)) == 0
}

func (r *router) leave(t *topic, w *waiter) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return t.leave(w)
}

// expired says why a call that waited for a provider got none.
func (r *router) expired(ctx context.Context, t *topic, f *flight) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return gaveUp()
	}
	if _, orphaned := r.prospects(t, f); orphaned {
		return ipc.Errorf(ipc.CodeUnavailable, "%s", r.outlook(f.modules, time.Time{}).why)
	}
	return ipc.Errorf(ipc.CodeTTLExpired, "the deadline passed while the call waited for %s; every instance was busy", t.name)
}

func gaveUp() *ipc.Error {
	e := ipc.Errorf(ipc.CodeCancelled, "the caller gave up before the call was delivered")
	e.Outcome = ipc.NotDelivered
	return e
}

// release gives a slot back and hands it to who waits for it. lost says that the call had been written and will have no answer.
func (r *router) release(t *topic, p *provider, d delivery, lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(p.open, d.flight)
	if lost {
		p.lose(d)
	}
	t.counts.answered(d)
	p.perTopic[t.name]--
	if t.drained.event(time.Now()); len(t.queue) == 0 {
		t.drained.idle() // the next call may come whenever it likes
	}
	r.dispatch(p)
	p.checkIdle()
}

// fairness: every so many slots, one goes to whoever has waited longest, so that high priorities starve nobody.
const fairness = 8

// dispatch fills the free slots of p from the queues of its topics: the highest priority first, and of one priority who came
// first.
func (r *router) dispatch(p *provider) {
	for {
		byAge := (p.turn+1)%fairness == 0
		var next *waiter
		var from *topic
		for name := range p.topics {
			t := r.topics[name]
			if w := t.first(p, byAge); w != nil && p.free(t) && (next == nil || w.before(next, byAge)) {
				next, from = w, t
			}
		}
		if next == nil {
			return
		}
		p.turn++
		from.leave(next)
		p.occupy(from, next.flight)
		next.granted <- p
	}
}

// before reports whether w is served before v.
func (w *waiter) before(v *waiter, byAge bool) bool {
	if byAge || w.priority == v.priority {
		return w.number < v.number
	}
	return w.priority > v.priority
}

// load is how busy a provider is: its open calls, and how long the one that is latest is past its deadline; 0 if none is.
func (r *router) load(p *provider, now time.Time) (open int, overdue time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := range p.open {
		if deadline := f.deadline(); !deadline.IsZero() {
			overdue = max(overdue, now.Sub(deadline))
		}
	}
	return len(p.open), overdue
}

// reserve keeps calls away from p for something that must not meet one; false if a call is open.
func (r *router) reserve(p *provider) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.reserved = len(p.open) == 0
	return p.reserved
}

func (r *router) unreserve(p *provider) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.reserved = false
	r.dispatch(p)
}
