package ipc

import (
	"context"
	"time"
)

// parted is a ctx that can be waited for by its parts: it ends when one of two channels is closed, and at a limit; each may be
// absent. Its Done would cost it a timer, and a place in the list of each ctx that it depends on.
type parted interface {
	context.Context
	Ends() (first, second <-chan struct{}, limit time.Time)
}

// await waits for a call to finish; false means that ctx ended first.
func (c *Conn) await(ctx context.Context, call *call) bool {
	p, ok := ctx.(parted)
	if !ok {
		select {
		case <-call.finished:
			return true
		case <-ctx.Done():
			return false
		}
	}
	first, second, limit := p.Ends()
	var over <-chan time.Time
	if !limit.IsZero() {
		timer := c.timer(time.Until(limit))
		defer c.putTimer(timer)
		over = timer.C
	}
	select {
	case <-call.finished:
		return true
	case <-first:
	case <-second:
	case <-over:
	}
	return false
}

// timer returns a timer that runs; putTimer takes it back.
func (c *Conn) timer(d time.Duration) *time.Timer {
	if used, ok := c.timers.Get().(*time.Timer); ok {
		used.Reset(d)
		return used
	}
	return time.NewTimer(d)
}

func (c *Conn) putTimer(t *time.Timer) {
	t.Stop() // from here on nothing comes out of its channel
	c.timers.Put(t)
}
