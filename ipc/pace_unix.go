//go:build unix

package ipc

import (
	"sync/atomic"
	"time"
)

// Go's scheduler is told of every system call, and that wakes its monitor, a thread of its own, if nothing ran for a moment before. On a
// busy connection there are thousands of such moments a second, and the monitor costs more than the calls. So what does not wait is
// read and written there by system calls that the scheduler is not told of: brief ones.
//
// But while nobody is told, nobody interrupts a handler that computes for long, and where there is no processor beside it nobody
// looks after the network: the monitor does both, if it is awake. When everything is idle it goes to sleep, and not for longer than
// until the next timer. So system calls are brief only while a clock ticks:
//
//	ordinary ── many system calls within a beat: the clock is set ──> brief
//	         <── few of them within a beat: the clock is not set again ──┘
//
// Who sets it makes an ordinary call next, which ends a sleep that began before. When it has struck and is set again, the monitor has
// woken by itself, and does not go to sleep before that is done, for who does it is not idle.

// A beat is how long the monitor sleeps at most while a connection is busy: as long as it lets a goroutine run before it interrupts it.
const (
	beat     = 10 * time.Millisecond
	busyBeat = 16       // so many system calls within a beat are many
	maxBrief = 64 << 10 // a larger read or write is not brief: it keeps a processor to itself
)

// pace is how busy a stream is. Its methods can be called at any time.
type pace struct {
	busy  atomic.Bool  // the clock ticks
	ended atomic.Bool  // and will never be set again
	calls atomic.Int64 // since the last beat; without a clock, since the last one there was
	since atomic.Int64 // when busyBeat calls without a clock were last complete; in ns since born
	born  time.Time
	clock *time.Timer
}

func newPace() *pace {
	p := &pace{born: time.Now()}
	p.clock = newClock(p.tick)
	return p
}

// brief reports whether the next system call, which is about so many bytes, is to be a brief one.
func (p *pace) brief(size int) bool {
	if !canBeBrief {
		return false
	}
	n := p.calls.Add(1)
	if p.busy.Load() {
		return size <= maxBrief
	}
	if n%busyBeat == 0 && !p.ended.Load() {
		now := int64(time.Since(p.born))
		if now-p.since.Swap(now) < int64(beat) {
			p.busy.Store(true) // before the clock is set: a beat that ends at once must not come first
			p.clock.Reset(beat)
		}
	}
	return false
}

// tick ends a beat.
func (p *pace) tick() {
	if p.calls.Swap(0) < busyBeat || p.ended.Load() {
		p.busy.Store(false)
		return
	}
	p.clock.Reset(beat)
}

// end stops the clock for good.
func (p *pace) end() {
	p.ended.Store(true)
	p.clock.Stop()
	p.busy.Store(false)
}
