package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

const (
	maxAttempts = 3  // of a call to an idempotent topic
	maxDepth    = 16 // of calls that wait for each other
)

// router takes calls to providers: bounded queues, deadlines, slots. It alone owns which instance takes calls, how many
// each has open and who waits; its lock is never held across a call, a callback or a wait.
//
//	call -> admit -> acquire -> Conversation.Call -> verdict
//	          |         |             |
//	     NO_PROVIDER   BUSY       retried elsewhere when not delivered, or when idempotent and the instance died
//	                UNAVAILABLE
//	                TTL_EXPIRED
type router struct {
	journal *Journal
	outlook func(modules []string, deadline time.Time) outlook // what becomes of modules that provide nothing now
	demand  func(modules []string)                             // starts modules that start on demand

	mu      sync.Mutex
	topics  map[string]*topic
	changed chan struct{} // closed and replaced when an outlook may have changed
	closing bool          // the supervisor stops: only calls of open calls are accepted
	open    int           // calls accepted and not ended
	idle    chan struct{} // closed when closing and open is 0
}

// outlook is what a caller of a topic without a ready provider can hope for.
type outlook struct {
	hopeless bool   // none will be ready before the deadline
	why      string // what the modules are doing, with the remedy
}

// flight is one accepted call until it ends.
type flight struct {
	msg      ipc.Message
	mc       ipc.Context
	ttl      time.Duration   // the caller's limit; 0: the topic's
	parent   *flight         // the call in whose handling this one was made
	depth    int             // number of ancestors
	ctx      context.Context // ends with the call
	provider *provider       // who has it now; guarded by router.mu
	tried    []*provider     // who died with it
}

func newRouter(journal *Journal) *router {
	return &router{journal: journal, topics: map[string]*topic{}, changed: make(chan struct{}), idle: make(chan struct{})}
}

// declare makes the topics of a module known, so that a call to one waits for an instance instead of failing.
func (r *router) declare(m *manifest.Module) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, rules := range m.Services {
		t := r.topics[name]
		if t == nil {
			t = &topic{name: name, rules: rules}
			r.topics[name] = t
		}
		t.modules = append(t.modules, m.Name)
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
func (r *router) call(ctx context.Context, f *flight) (json.RawMessage, error) {
	t, err := r.admit(f)
	if err != nil {
		return nil, r.verdict(f, nil, err)
	}
	defer r.ended()
	limit := t.rules.Timeout.Std()
	if f.ttl > 0 {
		limit = f.ttl
	}
	cancel := func() {}
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	f.ctx = ctx
	for f.mc.Attempt = 1; ; {
		p, err := r.acquire(ctx, t, f)
		if err != nil {
			return nil, r.verdict(f, nil, err)
		}
		data, err := p.talk.Call(ctx, f.msg, f.mc, r.watch(t, p, f))
		if err == nil {
			r.count(t, func(c *counts) { c.done++ })
			return data, nil
		}
		if !r.again(ctx, t, p, f, err) {
			r.count(t, func(c *counts) { c.failed++ })
			return nil, r.verdict(f, p, err)
		}
	}
}

// admit finds the topic and counts the call as open.
func (r *router) admit(f *flight) (*topic, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.topics[f.msg.Topic]
	switch {
	case t == nil:
		return nil, r.noProvider(f.msg.Topic)
	case r.closing && f.parent == nil:
		return nil, ipc.Errorf(ipc.CodeUnavailable, "the supervisor is stopping")
	case f.depth > maxDepth:
		return nil, ipc.Errorf(ipc.CodeLoop, "the call to %s is nested deeper than %d calls", t.name, maxDepth)
	}
	r.open++
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

// acquire waits for a provider with a free slot and takes the slot.
func (r *router) acquire(ctx context.Context, t *topic, f *flight) (*provider, error) {
	w := &waiter{priority: f.msg.Priority, granted: make(chan *provider, 1)}
	p, err := r.place(t, f, w)
	if p != nil || err != nil {
		return p, err
	}
	for {
		changed, orphaned := r.prospects(t)
		if orphaned {
			r.demand(t.modules)
			deadline, _ := ctx.Deadline()
			if o := r.outlook(t.modules, deadline); o.hopeless && r.leave(t, w) {
				return nil, ipc.Errorf(ipc.CodeUnavailable, "%s", o.why)
			}
		}
		select {
		case p := <-w.granted:
			r.mu.Lock()
			f.provider = p
			r.mu.Unlock()
			return p, nil
		case <-changed:
		case <-ctx.Done():
			if r.leave(t, w) {
				return nil, r.expired(ctx, t)
			}
			r.release(t, <-w.granted) // the slot came in the same moment
			return nil, r.expired(ctx, t)
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
	if len(t.queue) == 0 || t.queue[0].priority < w.priority {
		if p := t.choose(f.tried); p != nil {
			p.occupy(t)
			f.provider = p
			return p, nil
		}
	}
	if len(t.queue) >= t.rules.Queue {
		t.counts.rejected++
		e := ipc.Errorf(ipc.CodeBusy, "%d calls already wait for %s, which is the limit", len(t.queue), t.name)
		e.RetryAfter = t.drained.after(len(t.queue) + 1)
		return nil, e
	}
	t.enqueue(w)
	return nil, nil
}

// waitsForItself reports whether every provider of the topic is filled with calls that wait for this one.
func (f *flight) waitsForItself(t *topic) bool {
	if f.parent == nil || len(t.providers) == 0 {
		return false
	}
	held := map[*provider]int{}
	for a := f.parent; a != nil; a = a.parent {
		held[a.provider]++
	}
	for _, p := range t.providers {
		if held[p] < p.limit {
			return false
		}
	}
	return true
}

func (r *router) prospects(t *topic) (changed <-chan struct{}, orphaned bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed, len(t.providers) == 0
}

func (r *router) leave(t *topic, w *waiter) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return t.leave(w)
}

// expired says why a call that waited for a provider got none.
func (r *router) expired(ctx context.Context, t *topic) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		e := ipc.Errorf(ipc.CodeCancelled, "the caller gave up before the call was delivered")
		e.Outcome = ipc.NotDelivered
		return e
	}
	if _, orphaned := r.prospects(t); orphaned {
		return ipc.Errorf(ipc.CodeUnavailable, "%s", r.outlook(t.modules, time.Time{}).why)
	}
	return ipc.Errorf(ipc.CodeTTLExpired, "the deadline passed while the call waited for %s; every instance was busy", t.name)
}

// watch keeps the slot until the module owes nothing more, and lets the calls that the module makes meanwhile find f.
func (r *router) watch(t *topic, p *provider, f *flight) *ipc.Watch {
	var id int64
	return &ipc.Watch{
		Written: func(written int64) {
			id = written
			p.instance.flights.Store(id, f)
		},
		Settled: func() {
			if id != 0 {
				p.instance.flights.Delete(id)
			}
			r.release(t, p)
		},
	}
}

// release gives a slot back and hands it to who waits for it.
func (r *router) release(t *topic, p *provider) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.open--
	p.perTopic[t.name]--
	t.drained.event(time.Now())
	r.dispatch(p)
	p.checkIdle()
}

// dispatch fills the free slots of p from the queues of its topics, the highest priority first.
func (r *router) dispatch(p *provider) {
	for {
		var next *topic
		for name := range p.topics {
			t := r.topics[name]
			if len(t.queue) > 0 && p.free(t) && (next == nil || t.queue[0].priority > next.queue[0].priority) {
				next = t
			}
		}
		if next == nil {
			return
		}
		w := next.queue[0]
		next.queue = slices.Delete(next.queue, 0, 1)
		p.occupy(next)
		w.granted <- p
	}
}

func (p *provider) checkIdle() {
	if p.attached || p.open > 0 {
		return
	}
	select {
	case <-p.idle:
	default:
		close(p.idle)
	}
}

// reserve takes every slot of p at once, for something that must not meet a call; false if a call is open.
func (r *router) reserve(p *provider) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.open > 0 || !p.attached {
		return p.open == 0
	}
	p.open = p.limit
	return true
}

func (r *router) unreserve(p *provider) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.open = 0
	r.dispatch(p)
	p.checkIdle()
}

// again decides whether a failed call goes to another instance, within its deadline.
func (r *router) again(ctx context.Context, t *topic, p *provider, f *flight, err error) bool {
	var e *ipc.Error
	if !errors.As(err, &e) || e.Origin == ipc.FromModule || ctx.Err() != nil {
		return false
	}
	switch e.Code {
	case ipc.CodeUnavailable: // the connection ended first: nobody has seen the call
	case ipc.CodeModuleGone, ipc.CodeProtocolError:
		if !t.rules.Idempotent || f.mc.Attempt == maxAttempts {
			return false
		}
		f.mc.Attempt++
		f.tried = append(f.tried, p)
		r.count(t, func(c *counts) { c.retried++ })
	default:
		return false
	}
	r.detach(p) // its owner will notice too; until then nobody else should run into it
	return true
}

func (r *router) count(t *topic, f func(*counts)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&t.counts)
}

// verdict is the one place that decides what an error means for the call: who it comes from, and with what outcome.
func (r *router) verdict(f *flight, p *provider, err error) *ipc.Error {
	e := *ipc.AsError(err, ipc.CodeModuleGone)
	if e.Origin == ipc.FromModule && p != nil {
		e.Origin, e.Outcome = p.instance.id.String(), ipc.Done
		return &e
	}
	e.Origin = ipc.Supervisor
	entry := Entry{Kind: KindCall, Text: e.Error(), Topic: f.msg.Topic, Code: e.Code, CallID: f.mc.CallID, TraceID: f.mc.TraceID}
	if p != nil {
		entry.Module, entry.Instance = p.instance.id.Name, p.instance.id.Instance
	}
	r.journal.add(entry)
	return &e
}

func (r *router) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	r.checkIdle()
}

func (r *router) checkIdle() {
	if r.closing && r.open == 0 {
		select {
		case <-r.idle:
		default:
			close(r.idle)
		}
	}
}

// close refuses new calls from outside; r.idle is closed when the last open one has ended.
func (r *router) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closing = true
	r.checkIdle()
	r.announce()
}
