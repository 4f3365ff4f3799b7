package tests

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// call is one call from outside, and what is expected of it.
type call struct {
	station     *station
	order       string
	filler      string
	priority    ipc.Priority
	ttl         time.Duration // 0: the topic's timeout
	patience    time.Duration // until its caller gives up; 0: never
	mustSucceed bool          // nothing but a full queue is in its way

	number uint64
	began  time.Time
	took   time.Duration
}

// limit is the time that the call has.
func (x *call) limit() time.Duration {
	if x.ttl > 0 {
		return min(x.ttl, x.station.limit)
	}
	return x.station.limit
}

// ask makes a call and judges its end, which it returns.
func (c *campaign) ask(x *call) error {
	x.number, x.began = c.book.open(x, c.stations), time.Now()
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	if x.patience > 0 {
		defer time.AfterFunc(x.patience, cancel).Stop()
	}
	payload := job{x.number, 0, x.order}.payload(x.filler)
	answer, err := c.Call(ctx, supervisor.Message{Topic: x.station.topic, Payload: payload, Priority: x.priority, TTL: x.ttl})
	x.took = time.Since(x.began)
	if err != nil {
		c.judgeError(x, err)
		return err
	}
	c.judgeAnswer(x, payload, answer)
	return nil
}

// callSomebody makes a call to anybody, about anything, in any hurry.
func (a *actor) callSomebody() {
	s := pick(a, a.stations)
	if s.topic == "" {
		return
	}
	x := &call{station: s, order: "plain", priority: ipc.Priority(a.dice.IntN(4) - 1)}
	if a.chance(30) {
		x.order = pick(a, s.orders)
	}
	if a.chance(60) {
		x.ttl = a.within(2*time.Second) + time.Millisecond
	}
	if a.chance(10) {
		x.patience = a.within(300*time.Millisecond) + time.Microsecond
	}
	if a.chance(30) {
		x.filler = filler(a.dice.IntN(4 << 10))
		if s.large && a.chance(50) {
			x.filler = filler(512 << 10)
		}
	}
	rest := a.within(50 * time.Millisecond)
	if ipc.OutcomeOf(a.ask(x)) != ipc.Done {
		pause(a.over, rest) // a module that is down refuses calls faster than anybody answers them
	}
}

// callFaithfully makes a call that has to be done in the end: its caller waits out a full queue, and has time for whatever
// happens to the module.
func (a *actor) callFaithfully() {
	s := a.stations[0] // sure
	x := &call{station: s, order: "plain", mustSucceed: true}
	if a.chance(20) {
		x.order = pick(a, s.orders)
	}
	if a.chance(5) {
		x.filler = filler(512 << 10)
	}
	for {
		again := *x
		busy := new(ipc.Error)
		if !errors.As(a.ask(&again), &busy) || busy.Code != ipc.CodeBusy {
			return
		}
		pause(a.ctx, busy.RetryAfter)
	}
}

// flood calls one station many times at once, far above what its queue holds.
func (a *actor) flood() {
	s := pick(a, a.stations)
	if s.topic == "" {
		return
	}
	var wave sync.WaitGroup
	for range s.queue + 50 + a.dice.IntN(100) {
		x := &call{station: s, order: "plain", ttl: a.within(500*time.Millisecond) + time.Millisecond, priority: ipc.Priority(a.dice.IntN(4) - 1)}
		wave.Go(func() { _ = a.ask(x) })
	}
	wave.Wait()
	pause(a.over, a.within(time.Second))
}

// filler is text that makes a payload larger.
func filler(n int) string { return strings.Repeat("x", n) }

// ending is how a call ended, as far as deliveries are concerned.
type ending uint8

const (
	open      ending = iota
	succeeded        // answered by its handler
	answered         // the same, with an error
	declined         // answered by its module, perhaps without a handler
	untouched        // no module has seen it
	unknown
)

// endingOf: a module that is ending answers on its handlers' behalf.
func endingOf(outcome ipc.Outcome, code string) ending {
	switch {
	case code == "success":
		return succeeded
	case outcome == ipc.Done && (code == ipc.CodeCancelled || code == ipc.CodeUnavailable):
		return declined
	case outcome == ipc.Done:
		return answered
	case outcome == ipc.NotDelivered:
		return untouched
	}
	return unknown
}

// entry is what the book knows of a call.
type entry struct {
	station *station
	onward  *station // whom its handler is to call; nil: nobody
	ending  ending
}

// book has every call by its number. It is safe for concurrent use.
type book struct {
	codes tally // how calls ended

	mu      sync.Mutex
	entries []entry
	latest  time.Duration // the longest that a call took beyond its time
}

// open enters a new call and returns its number.
func (b *book) open(x *call, stations []*station) uint64 {
	e := entry{station: x.station}
	if topic, onward := strings.CutPrefix(x.order, "call="); onward {
		e.onward = stations[slices.IndexFunc(stations, func(s *station) bool { return s.topic == topic })]
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, e)
	return uint64(len(b.entries) - 1)
}

// close enters how a call ended.
func (b *book) close(x *call, outcome ipc.Outcome, code string) {
	b.codes.count(code)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[x.number].ending = endingOf(outcome, code)
	if x.patience == 0 {
		b.latest = max(b.latest, x.took-x.limit())
	}
}

func (b *book) entry(number uint64) entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.entries[number]
}

func (b *book) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.entries)
}

// openCalls names the calls that have not ended.
func (b *book) openCalls() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for number, e := range b.entries {
		if e.ending == open {
			names = append(names, fmt.Sprintf("%d to %s", number, e.station.name))
		}
	}
	return strings.Join(names, ", ")
}
