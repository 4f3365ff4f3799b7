package supervisor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// router takes calls to providers: bounded queues, deadlines, slots. It alone owns which instance takes calls, how many
// each has open and who waits; its lock is never held across a call, a callback or a wait.
//
//	call ─> admit ─> acquire ─> conversation.Call ─> verdict
//	          │         │             │
//	     NO_PROVIDER   BUSY       retried elsewhere when not delivered, or when idempotent and the instance died
//	                UNAVAILABLE
//	                TTL_EXPIRED
//
// flight.go has the life of one call, admission.go the waiting for a slot, topic.go what is waited for.
type router struct {
	journal *Journal
	remote  Remote                                             // nil: this supervisor is alone
	spans   func(Span)                                         // nil: nobody traces
	outlook func(modules []string, deadline time.Time) outlook // what becomes of modules that provide nothing now
	demand  func(modules []string)                             // starts modules that start on demand
	// awaitBuilds lets the first build of modules end: a compiler's time is not taken off a call's.
	awaitBuilds func(ctx context.Context, modules []string)

	mu      sync.Mutex
	topics  map[string]*topic
	abroad  counts        // of calls that went to other supervisors
	door    topic         // where calls are refused that have no topic, or may not have it
	changed chan struct{} // closed and replaced when an outlook may have changed
	closing bool          // the supervisor stops: no more calls from outside
	open    int           // calls accepted and not ended
	queued  uint64        // calls that ever waited in a queue
	idle    chan struct{} // closed when closing and open is 0
}

// outlook is what a caller of a topic without a ready provider can hope for.
type outlook struct {
	hopeless bool   // none will be ready before the deadline
	why      string // what the modules are doing, with the remedy
}

func newRouter(journal *Journal) *router {
	return &router{journal: journal, abroad: newCounts(), topics: map[string]*topic{}, door: topic{reports: map[string]*reported{}, counts: newCounts()}, changed: make(chan struct{}), idle: make(chan struct{})}
}

// declare makes the topics of a module known, so that a call to one waits for an instance instead of failing.
func (r *router) declare(m *manifest.Module, byHand bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, rules := range m.Services {
		t := r.topics[name]
		if t == nil {
			t = &topic{name: name, rules: rules, reports: map[string]*reported{}, counts: newCounts()}
			r.topics[name] = t
		}
		t.byHand = t.byHand || byHand
		t.modules, t.declared = append(t.modules, m.Name), append(t.declared, m)
		slices.Sort(t.modules)
	}
}

// attach opens an instance to calls. What waits for it goes out at once.
func (r *router) attach(p *provider) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.attached {
		return
	}
	p.attached, p.idle = true, make(chan struct{})
	for name := range p.topics {
		t := r.topics[name]
		t.providers = append(t.providers, p)
	}
	r.dispatch(p)
	r.announce()
}

// detach closes an instance to new calls. The channel it returns is closed when the last open call has ended.
func (r *router) detach(p *provider) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !p.attached {
		return p.idle
	}
	p.attached = false
	for name := range p.topics {
		t := r.topics[name]
		t.providers = slices.DeleteFunc(t.providers, func(q *provider) bool { return q == p })
	}
	p.checkIdle()
	r.announce()
	return p.idle
}

// announce makes callers without a provider look at their prospects again.
func (r *router) announce() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// stateChanged is announce for those who do not hold the lock.
func (r *router) stateChanged() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.announce()
}

// call takes one call to its end. The error is always an *ipc.Error with Outcome and Origin.
func (r *router) call(ctx context.Context, f *flight) (ipc.Data, error) {
	away, err := r.away(f)
	if err != nil {
		return ipc.Data{}, r.verdict(nil, nil, f, err)
	}
	if away {
		return r.callRemote(ctx, f)
	}
	t, err := r.admit(f)
	switch {
	case ipc.IsCode(err, ipc.CodeNoProvider) && r.elsewhere(f):
		return r.callRemote(ctx, f)
	case err != nil:
		return ipc.Data{}, r.verdict(nil, nil, f, r.hintElsewhere(f, err))
	}
	defer r.ended()
	r.demand(f.modules)
	r.awaitBuilds(ctx, f.modules)
	limit := t.rules.Timeout.Std()
	if t.byHand {
		limit = 0
	}
	if f.ttl > 0 && (limit == 0 || f.ttl < limit) {
		limit = f.ttl
	}
	cancel := context.CancelFunc(func() {})
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	f.ctx, f.accepted = ctx, time.Now()
	f.asked = f.accepted
	for f.mc.Attempt = max(f.mc.Attempt, 1); ; f.asked, f.granted = f.ended, (time.Time{}) {
		f.tries++
		p, err := r.acquire(ctx, t, f)
		if errors.Is(err, errElsewhere) {
			return r.callRemote(ctx, f)
		}
		if err != nil {
			f.ended = time.Now()
			return ipc.Data{}, r.verdict(t, nil, f, err)
		}
		f.granted = time.Now()
		data, err := p.talk.Call(ctx, f.msg, f.mc, r.follow(t, p, f))
		f.ended = time.Now()
		if err == nil {
			r.finish(t, p, f, nil)
			return data, nil
		}
		if !r.again(ctx, t, p, f, err) {
			return ipc.Data{}, r.verdict(t, p, f, err)
		}
	}
}

// admit finds the topic and counts the call as open.
func (r *router) admit(f *flight) (*topic, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, err := r.find(f)
	if err == nil {
		r.open++
	}
	return t, err
}

// check is whether admit would let the call in.
func (r *router) check(f *flight) error {
	r.mu.Lock()
	_, err := r.find(f)
	r.mu.Unlock()
	if err != nil {
		return r.verdict(nil, nil, f, err)
	}
	return nil
}

func (r *router) find(f *flight) (*topic, error) {
	t := r.topics[f.msg.Topic]
	switch {
	case t == nil:
		return nil, r.noProvider(f.msg.Topic)
	case !t.narrow(f):
		return nil, ipc.Errorf(ipc.CodeNoProvider, "no module %s provides %s; it is provided by %s", f.target, t.name, strings.Join(t.modules, ", "))
	case f.foreign && !t.rules.Export:
		return nil, ipc.Errorf(ipc.CodeNoProvider, "%s is not exported; write export = true under [services.%q] in its manifest", t.name, t.name)
	case r.closing && (f.foreign || f.mc.SourceModule == fromHost):
		return nil, ipc.Errorf(ipc.CodeUnavailable, "the supervisor is stopping")
	case f.depth > maxDepth:
		return nil, ipc.Errorf(ipc.CodeLoop, "the call to %s is nested deeper than %d calls", t.name, maxDepth)
	}
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

// repeat counts an attempt that failed and is followed by another one; resent is 1 if the call had been delivered.
func (r *router) repeat(t *topic, p *provider, f *flight, e *ipc.Error, resent uint64) {
	r.traceAttempt(p, f, e)
	r.mu.Lock()
	defer r.mu.Unlock()
	t.counts.attempt(f, e)
	t.counts.retried += resent
}

// finish counts a call that has ended and hands out its spans. t is nil if it was refused before it had one, p if nobody had it,
// e if it succeeded.
func (r *router) finish(t *topic, p *provider, f *flight, e *ipc.Error) {
	if t != nil {
		r.traceAttempt(p, f, e)
	} else {
		t = &r.door
	}
	r.mu.Lock()
	t.counts.end(f, p, e)
	r.mu.Unlock()
	r.traceCall(p, f, e)
}

func (r *router) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	r.checkIdle()
}

func (r *router) checkIdle() {
	if r.closing && r.open == 0 && !isDone(r.idle) {
		close(r.idle)
	}
}

// close refuses new calls from outside; r.idle is closed when the last open call has ended.
func (r *router) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closing = true
	r.checkIdle()
	r.announce()
}

// nextDrained is when, from now on, the next of the modules with open calls will have had its time for them; 0 if all have.
func (r *router) nextDrained(elapsed time.Duration) (next time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.topics {
		for _, p := range t.providers {
			left := p.instance.module.Stop.Drain.Std() - elapsed
			if len(p.open) > 0 && left > 0 && (next == 0 || left < next) {
				next = left
			}
		}
	}
	return next
}
