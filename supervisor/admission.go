package supervisor

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// admit finds the topic, counts the call as open and gives it a slot if one is free. If none is, a call that cannot wait is not counted.
func (r *router) admit(f *flight, waits bool) (*topic, *delivery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, err := r.find(f)
	if err != nil {
		return nil, nil, err
	}
	d := t.take(f)
	if d != nil || waits {
		r.open++
		f.shorten(t.timeout()) // under the lock, for load may see it already
	}
	return t, d, nil
}

// check is whether call would let the call in, here or elsewhere.
func (r *router) check(f *flight) error {
	f.begin(context.Background(), nil)
	away, err := r.away(f)
	switch {
	case err != nil:
	case away && !r.elsewhere(f):
		err = ipc.Errorf(ipc.CodeNoProvider, "node %s offers no %s now; `ixt topics` lists what there is", f.node, f.msg.Topic)
	case !away:
		r.mu.Lock()
		_, err = r.find(f)
		r.mu.Unlock()
	}
	if err == nil || ipc.IsCode(err, ipc.CodeNoProvider) && r.elsewhere(f) {
		return nil
	}
	return r.verdict(nil, nil, f, r.hintElsewhere(f, err))
}

func (r *router) find(f *flight) (*topic, error) {
	t := r.topics[f.msg.Topic]
	switch {
	case t == nil:
		return nil, r.noProvider(f.msg.Topic)
	case !t.narrow(f):
		return nil, ipc.Errorf(ipc.CodeNoProvider, "no module %s provides %s; it is provided by %s", f.msg.Target, t.name, strings.Join(t.modules, ", "))
	case f.foreign && !t.rules.Export:
		return nil, ipc.Errorf(ipc.CodeNoProvider, "%s is not exported; write export = true under [services.%q] in its manifest", t.name, t.name)
	case r.closing && (f.foreign || f.mc.SourceModule == fromHost):
		return nil, ipc.Errorf(ipc.CodeUnavailable, "the supervisor is stopping")
	case f.depth > maxDepth:
		return nil, ipc.Errorf(ipc.CodeLoop, "the call to %s is nested deeper than %d calls", t.name, maxDepth)
	}
	f.msg.Topic = t.name // which is no part of a frame that is kept for it
	return t, nil
}

func (r *router) noProvider(name string) error {
	names := make([]string, 0, len(r.topics))
	for known := range r.topics {
		names = append(names, known)
	}
	hint := "`ixt topics` lists what there is"
	if near := manifest.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return ipc.Errorf(ipc.CodeNoProvider, "no module provides %s; %s", name, hint)
}

// acquire waits for a provider with a free slot and takes the slot. What it returns has the slot then, or has ended with it.
func (r *router) acquire(t *topic, f *flight) (*waiter, error) {
	w := &waiter{priority: min(max(f.msg.Priority, ipc.Low), ipc.Urgent), flight: f, granted: make(chan struct{}, 1)}
	if placed, err := r.place(t, f, w); placed || err != nil {
		return w, err
	}
	for {
		changed, orphaned := r.prospects(t, w)
		if orphaned {
			if r.elsewhere(f) && r.leave(t, w) {
				return nil, errElsewhere
			}
			r.demand(f.modules)
			if o := r.outlook(f.modules, f.term.limit); o.hopeless && r.leave(t, w) {
				return nil, ipc.Errorf(ipc.CodeUnavailable, "%s", o.why)
			}
		}
		select {
		case <-w.granted:
		case <-changed:
			continue
		case <-f.term.Done():
			if r.leave(t, w) {
				return nil, r.expired(t, f)
			}
			w.abandon(f.term.Err())
			<-w.granted
		}
		if w.ended || f.term.Err() == nil {
			return w, nil
		}
		r.release(w.delivery, nil) // it came too late
		f.granted = never
		return nil, r.expired(t, f)
	}
}

// place takes a slot at once, or queues w, or refuses.
func (r *router) place(t *topic, f *flight, w *waiter) (placed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.delivery = t.take(f); w.delivery != nil {
		f.granted = f.age()
		return true, nil
	}
	if f.waitsForItself(t) {
		return false, ipc.Errorf(ipc.CodeLoop, "the call to %s would wait for a call that waits for it; "+
			"let the module handle more calls at once (max_concurrency) or call it after answering", t.name)
	}
	limit := t.rules.Queue
	if t.orphaned(f) {
		limit = max(limit, 1) // somebody must wait for the first instance
	}
	if len(t.queue) >= limit {
		e := ipc.Errorf(ipc.CodeBusy, "%d calls already wait for %s, which is the limit", len(t.queue), t.name)
		e.RetryAfter = t.drained.after(1) // then there is a place in the queue
		return false, e
	}
	r.queued++
	w.number = r.queued
	t.enqueue(w)
	return false, nil
}

// prospects tells whether w waits although nobody can come to it, and when to ask again: never, if it has a slot.
func (r *router) prospects(t *topic, w *waiter) (changed <-chan struct{}, orphaned bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.delivery != nil {
		return nil, false
	}
	return r.changed, t.orphaned(w.flight)
}

func (r *router) leave(t *topic, w *waiter) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return t.leave(w)
}

// expired says why a call that waited for a provider got none.
func (r *router) expired(t *topic, f *flight) error {
	if errors.Is(f.term.Err(), context.Canceled) {
		return gaveUp()
	}
	r.mu.Lock()
	orphaned := t.orphaned(f)
	r.mu.Unlock()
	if orphaned {
		return ipc.Errorf(ipc.CodeUnavailable, "%s", r.outlook(f.modules, time.Time{}).why)
	}
	return ipc.Errorf(ipc.CodeTTLExpired, "the deadline passed while the call waited for %s; every instance was busy", t.name)
}

func gaveUp() *ipc.Error {
	e := ipc.Errorf(ipc.CodeCancelled, "the caller gave up before the call was delivered")
	e.Outcome = ipc.NotDelivered
	return e
}

// release gives a slot back. batch is of who has read the answer, if that is who it is.
func (r *router) release(d *delivery, batch *ipc.Batch) {
	p, t := d.offer.provider, d.offer.topic
	r.free(p, batch, func() {
		d.vacate()
		if d.lost() {
			p.lose(d)
		}
		t.counts.answered(d)
		t.drained.event(len(t.queue) > 0)
		p.checkIdle()
	})
}

// free makes a change, under the lock, after which p may take more calls, and sends it those that wait for that.
func (r *router) free(p *provider, batch *ipc.Batch, change func()) {
	r.mu.Lock()
	change()
	served := r.dispatch(p)
	r.mu.Unlock()
	for _, w := range served {
		w.send(batch)
	}
}

// fairness: every so many slots, one goes to whoever has waited longest, so that high priorities starve nobody.
const fairness = 8

// dispatch gives the free slots of p to those in the queues of its topics: the highest priority first, and of one priority who came
// first. They have to be sent.
func (r *router) dispatch(p *provider) (served []*waiter) {
	for {
		byAge := (p.turn+1)%fairness == 0
		var next *waiter
		var from *offer
		for _, o := range p.offers {
			if len(o.topic.queue) == 0 || !o.free() {
				continue
			}
			if w := o.topic.first(p, byAge); w != nil && (next == nil || w.before(next, byAge)) {
				next, from = w, o
			}
		}
		if next == nil {
			return served
		}
		p.turn++
		from.topic.leave(next)
		next.serve(from)
		served = append(served, next)
	}
}

// load is how busy a provider is: its open calls, and how long the one that is latest is past its deadline; 0 if none is.
func (r *router) load(p *provider, now time.Time) (open int, overdue time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range p.open {
		if limit, limited := d.term.Deadline(); limited {
			overdue = max(overdue, now.Sub(limit))
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
	r.free(p, nil, func() { p.reserved = false })
}
