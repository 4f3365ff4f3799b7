package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

// subscription is what an instance has subscribed to. It outlives the instance's process:
//
//	reserved ──> opened ──> delivering <──> waiting for the next process ──> ended
//	    └── failed to open ───────────────────────────────────────────────────┘
//
// The goroutine that runs its source is the only one that delivers, so that events come one at a time and in order.
type subscription struct {
	owner   owner
	name    string // as the module knows it
	pattern string
	group   bool
	durable string // "": it is not
	source  source
	seat    *seat
	note    func(supervisor.Entry)
	counts  *reception

	opened chan struct{} // closed when it is open, or err says why not
	err    error

	ended context.Context // nothing is delivered any more
	end   context.CancelFunc
}

// source is where a subscription's events come from.
type source interface {
	// open begins to gather events.
	open(ctx context.Context) error
	// run delivers them until the subscription has ended.
	run()
	// close stops gathering. It follows a successful open, once.
	close()
	// drop takes away what is kept of the subscription elsewhere.
	drop(ctx context.Context) error
	// resize sets how many events may wait.
	resize(buffer int)
}

// newSubscription is one that is neither listed nor open.
func (s *events) newSubscription(who owner, p ipc.Subscription, counts *reception) *subscription {
	sub := &subscription{
		owner: who, name: nameOf(p), pattern: p.Pattern, group: p.Group, durable: p.Durable,
		note: s.engine.site.Note, seat: newSeat(), counts: counts, opened: make(chan struct{}),
	}
	sub.ended, sub.end = context.WithCancel(s.life)
	failures := &throttle{to: s.engine.site.Note, module: who.module, number: who.number}
	if p.Durable == "" {
		sub.source = &plain{subscription: sub, events: s, failures: failures, waiting: newRing(p.Buffer, counts)}
	} else {
		sub.source = &durable{subscription: sub, events: s, failures: failures, from: p.From}
	}
	return sub
}

// nameOf is what the module knows a subscription by.
func nameOf(p ipc.Subscription) string {
	if p.Durable == "" {
		return p.Pattern
	}
	return p.Durable + ":" + p.Pattern
}

// restored notes that a process has taken the place of another, and what waited for it.
func (sub *subscription) restored(waited uint64) {
	events := "events"
	if waited == 1 {
		events = "event"
	}
	sub.note(supervisor.Entry{Kind: supervisor.KindSubscription, Module: sub.owner.module, Instance: sub.owner.number,
		Text: fmt.Sprintf("%s: subscription restored, %d %s waited", sub.name, waited, events)})
}

// undelivered reports whether an event that ended with err is still to be delivered. After an error that is not the handler's it
// waits until more makes sense: the process is gone then, or a moment has passed.
func (sub *subscription) undelivered(caller supervisor.Caller, err error) bool {
	var e *ipc.Error
	if !errors.As(err, &e) {
		return false
	}
	unavailable, handlers := e.Code == ipc.CodeUnavailable, e.Origin == ipc.FromModule
	if handlers && !unavailable {
		return false
	}
	timer := time.NewTimer(retryAfter)
	defer timer.Stop()
	select {
	case <-caller.Gone():
		return unavailable // a module that is about to end says so, too
	case <-sub.ended.Done():
	case <-timer.C:
	}
	return unavailable && !handlers
}

// covers reports whether one of the patterns lets everything through that pattern does.
func covers(patterns []string, pattern string) bool {
	rest := func(p string) bool { return p[len(p)-1] == '>' }
	for _, p := range patterns {
		if manifest.Match(p, pattern) && (rest(p) || !rest(pattern)) {
			return true
		}
	}
	return false
}

// seat is where the process sits that a subscription delivers to: one after another, and nobody in between.
type seat struct {
	mu     sync.Mutex
	caller supervisor.Caller
	taken  int           // how many processes have sat here
	wake   chan struct{} // holds one: somebody has sat down, or something else that the source waits for has happened
}

func newSeat() *seat { return &seat{wake: make(chan struct{}, 1)} }

// take puts a process on the seat.
func (s *seat) take(c supervisor.Caller) {
	s.mu.Lock()
	if s.taken == 0 || s.caller.Gone() != c.Gone() {
		s.caller = c
		s.taken++
	}
	s.mu.Unlock()
	s.ring()
}

// ring lets the source look again.
func (s *seat) ring() {
	select {
	case s.wake <- struct{}{}:
	default: // it will
	}
}

// sitting is the process on the seat, and the how manieth it is; 0: there is nobody now.
func (s *seat) sitting() (c supervisor.Caller, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == 0 || isGone(s.caller) {
		return c, 0
	}
	return s.caller, s.taken
}

// held reports whether c's process is the one on the seat.
func (s *seat) held(c supervisor.Caller) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken > 0 && s.caller.Gone() == c.Gone()
}

func isGone(c supervisor.Caller) bool {
	select {
	case <-c.Gone():
		return true
	default:
		return false
	}
}
