package ipc

import (
	"context"
	"errors"
	"math"
	"time"
)

// Parted is a ctx that Call waits for by its parts: it ends when one of two channels is closed, and at a limit; each may be
// absent. Its Done would cost it a timer, and a place in the list of each ctx that it depends on. If there is a limit, a channel that
// is closed because time is over ends nothing.
type Parted interface {
	context.Context
	Ends() (first, second <-chan struct{}, limit time.Time)
}

// waits is what a caller waits for beside its answer, and until when.
type waits struct {
	first, second <-chan struct{} // nil: never
	limit         time.Time       // zero: none. See limits
}

// Ends returns the parts of a ctx: those that a Parted names, else its Done, which has them all.
func Ends(ctx context.Context) (first, second <-chan struct{}, limit time.Time) {
	if p, is := ctx.(Parted); is {
		return p.Ends()
	}
	return ctx.Done(), nil, time.Time{}
}

// forever is the time that is left where there is no limit.
const forever time.Duration = math.MaxInt64

// timeOf is the time that is left until ctx's deadline.
func timeOf(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return timeTo(deadline)
}

// timeTo is the time until a limit, which may be zero: then there is none.
func timeTo(limit time.Time) time.Duration {
	if limit.IsZero() {
		return forever
	}
	return min(time.Until(limit), forever-1)
}

// ttl is the time that is left in ms, as frames tell it. If there is none, that is the smallest: 0 is no limit.
func ttl(left time.Duration) int64 {
	if left == forever {
		return 0
	}
	return max(Milliseconds(left), 1)
}

// over reports whether what ends the wait has ended, the limit excepted.
func (w *waits) over() bool { return isDone(w.first) || isDone(w.second) }

// isDone reports whether a channel on which nothing is sent is closed.
func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// ended is what a call gets whose ctx has ended before it is queued, or nil. left is what is left of its time: to ask ctx for its Err
// costs another look at the clock.
func (w *waits) ended(ctx context.Context, left time.Duration) error {
	if !w.over() && left > 0 {
		return nil
	}
	if reason := ctx.Err(); reason != nil {
		return endOfCall(reason, false)
	}
	return nil
}

// await waits for a call to end, and ends it when its ctx has.
func (c *Conn) await(ctx context.Context, call *call) {
	if w := &call.waits; w.first != nil || w.second != nil {
		select {
		case <-call.finished:
			return
		case <-w.first:
		case <-w.second:
		}
		if reason := ctx.Err(); w.limit.IsZero() || !errors.Is(reason, context.DeadlineExceeded) {
			c.update(func(s *state) { s.abandon(call, reason) })
		} // else the clock ends it
	}
	<-call.finished
}

// limits ends the calls whose time is over. One clock does for all of them: it is set to the first limit that it hears of, and when
// it strikes it looks for the next. A timer for each call would have to be put into the scheduler's heap and taken out again, and
// wake a thread that watches it when nothing else is going on.
type limits struct {
	clock   *time.Timer
	strikes time.Time // zero: it is not set
}

// heed lets a call that has been queued end when its time is over; call may be nil.
func (l *limits) heed(call *call) {
	if call == nil || call.limit.IsZero() || !l.strikes.IsZero() && !call.limit.Before(l.strikes) {
		return
	}
	l.strikes = call.limit
	l.clock.Reset(time.Until(call.limit))
}

func (l *limits) close() { l.clock.Stop() }

// endLate ends the calls whose time is over, and heeds the others.
func (c *Conn) endLate() {
	c.update(func(s *state) {
		if s.phase == closed {
			return
		}
		var late []*call
		now := time.Now()
		s.strikes = time.Time{}
		look := func(call *call) {
			switch {
			case call == nil || call.over || call.limit.IsZero():
			case now.Before(call.limit):
				s.heed(call)
			default:
				late = append(late, call)
			}
		}
		for _, call := range s.calls {
			look(call)
		}
		for _, l := range []*lane{&s.urgent, &s.work} {
			for _, o := range l.frames {
				look(o.call)
			}
		}
		for _, call := range late {
			s.abandon(call, context.DeadlineExceeded)
		}
	})
}

// newClock is a clock that does not tick before it is set.
func newClock(strike func()) *time.Timer {
	clock := time.AfterFunc(math.MaxInt64, strike)
	clock.Stop()
	return clock
}
