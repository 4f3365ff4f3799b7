package supervisor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// router takes calls to providers: bounded queues, deadlines, slots. It alone owns which instance takes calls, how many
// each has open and who waits; its lock is never held across a call, a callback or a wait.
//
//	call ─> admit ─> acquire ─> conversation.Handle ─> finish, or verdict
//	          │         │ └─ sent by another one ───────┘
//	     NO_PROVIDER   BUSY       retried elsewhere when not delivered, or when idempotent and the instance died
//	                UNAVAILABLE
//	                TTL_EXPIRED
//
// A call that finds a free slot gets it from admit and takes the lock three times: to enter, to give back the slot when the module
// has answered, to be counted.
//
// flight.go has the life of one call, admission.go how it is let in and waits for a slot, topic.go what is waited for, waiter.go how one that
// waits is sent, passage.go how a module's call goes the same way without a goroutine.
type router struct {
	journal *Journal
	remote  Remote                                             // nil: this supervisor is alone
	spans   func(Span)                                         // nil: nobody traces
	outlook func(modules []string, deadline time.Time) outlook // what becomes of modules that provide nothing now
	demand  func(modules []string)                             // starts modules that start on demand
	// awaitBuilds lets the first build of modules end: a compiler's time is not taken off a call's.
	awaitBuilds func(ctx context.Context, modules []string)

	passing sync.WaitGroup // calls that nobody waits for; see passage
	landed  pool[flight]
	passed  pool[passage]

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
	r.free(p, nil, func() {
		if p.attached {
			return
		}
		p.attached, p.idle = true, make(chan struct{})
		if p.offers == nil {
			p.router = r
			for name, rules := range p.instance.module.Services {
				p.offers = append(p.offers, &offer{provider: p, topic: r.topics[name], rules: rules})
			}
		}
		for _, o := range p.offers {
			o.topic.offers = append(o.topic.offers, o)
		}
		r.announce()
	})
}

// detach closes an instance to new calls. The channel it returns is closed when the last open call has ended.
func (r *router) detach(p *provider) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !p.attached {
		return p.idle
	}
	p.attached = false
	for _, o := range p.offers {
		o.topic.offers = slices.DeleteFunc(o.topic.offers, func(other *offer) bool { return other == o })
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

// call takes one call to its end; f has the answer's data then. The error is always an *ipc.Error with Outcome and Origin.
func (r *router) call(ctx context.Context, f *flight) error {
	f.begin(ctx, nil)
	away, err := r.away(f)
	if err != nil {
		return r.verdict(nil, nil, f, err)
	}
	if away {
		return r.callRemote(f)
	}
	t, d, err := r.admit(f, true)
	switch {
	case err == nil:
	case ipc.IsCode(err, ipc.CodeNoProvider) && r.elsewhere(f):
		return r.callRemote(f)
	default:
		return r.verdict(nil, nil, f, r.hintElsewhere(f, err))
	}
	if d == nil { // somebody may have to be started first
		r.demand(f.modules)
		r.awaitBuilds(ctx, f.modules)
		f.begin(ctx, nil)
		f.shorten(t.timeout())
	}
	return r.conclude(f, r.deliver(t, d, f))
}

// reuse lets the memory of a call that has a result serve another one, if it can.
func (r *router) reuse(f *flight) {
	if f.private() {
		r.landed.put(f)
	}
}

// conclude ends a call that was admitted, or lets it go elsewhere.
func (r *router) conclude(f *flight, err error) error {
	if err != nil || !f.private() { // else nobody knows its term
		defer f.term.end()
	}
	if err == nil {
		return nil // finish has let it go
	}
	defer r.ended()
	if errors.Is(err, errElsewhere) {
		return r.callRemote(f)
	}
	return err
}

// deliver tries one instance after the other, the first with the slot d, if the call has one already.
func (r *router) deliver(t *topic, d *delivery, f *flight) (err error) {
	f.tries, f.mc.Attempt = f.tries+1, max(f.mc.Attempt, 1)
	var w *waiter
	if d == nil {
		f.granted = never
		w, err = r.acquire(t, f)
		if errors.Is(err, errElsewhere) {
			return err
		}
		if err != nil {
			f.ended = f.age()
			return r.verdict(t, nil, f, err)
		}
		d = w.delivery
	}
	if w != nil && w.ended {
		err = w.err
	} else {
		f.data, err = d.offer.provider.talk.Handle(&f.term, &f.msg.Message, &f.mc, r.follow(d))
	}
	d.land(err)
	if err != nil {
		return r.retry(d, err)
	}
	r.finish(t, d.offer.provider, f, nil)
	return nil
}

// retry tries another instance after an attempt that failed, or says what that means for the call.
func (r *router) retry(d *delivery, failed error) error {
	f, t := d.flight, d.offer.topic
	if !r.again(d, failed) {
		return r.verdict(t, d.offer.provider, f, failed)
	}
	f.asked = f.ended
	return r.deliver(t, nil, f)
}

// repeat counts an attempt that failed and is followed by another one; resent is 1 if the call had been delivered.
func (r *router) repeat(t *topic, p *provider, f *flight, e *ipc.Error, resent uint64) {
	r.traceAttempt(p, f, e)
	r.mu.Lock()
	defer r.mu.Unlock()
	t.counts.attempt(f, e)
	t.counts.retried += resent
}

// finish hands out the spans of a call that has ended and counts it. t is nil if it was refused before it had one, p if nobody had
// it, e if it succeeded: then it is not open any more. One that failed still has to be reported.
func (r *router) finish(t *topic, p *provider, f *flight, e *ipc.Error) {
	if t != nil {
		r.traceAttempt(p, f, e)
	} else {
		t = &r.door
	}
	r.traceCall(p, f, e)
	r.mu.Lock()
	defer r.mu.Unlock()
	t.counts.end(f, p, e)
	if e == nil {
		r.letGo()
	}
}

func (r *router) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.letGo()
}

func (r *router) letGo() {
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
		for _, o := range t.offers {
			left := o.provider.instance.module.Stop.Drain.Std() - elapsed
			if len(o.provider.open) > 0 && left > 0 && (next == 0 || left < next) {
				next = left
			}
		}
	}
	return next
}
