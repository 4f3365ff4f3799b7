package ipc

import (
	"errors"
	"runtime"
	"time"
)

// One goroutine at a time reads the stream. To wake another one costs more than most calls do otherwise, a thread for it above all.
// So who is alone does both: a lone call is read for by its caller, and a lone request is served by who read it (with Options.Direct).
//
//	a reading goroutine ── a lone request ───────────> serves it ── nobody has read meanwhile ──> reads on
//	                    │                                   └────── somebody does ──> ends
//	                    └─ the answer of one of several lone calls ──> ends: nobody reads
//	nobody ── a lone call ──> its caller reads ── its answer ──> nobody
//	                                           └─ before that, what came for others ──> to whom it belongs
//
// Where that does not turn out well somebody is told to read on within two moments: when nobody reads and no call is made, when a
// handler or an answer takes long. Then it is not tried again for a while. With several calls at once a goroutine reads all the time.

// A moment is short enough to wait for, and long beside a quick call.
const (
	moment     = 2 * time.Millisecond
	leastPause = 10 * time.Millisecond // for how long all this is given up when it did not turn out well; each time twice as long,
	mostPause  = 10 * time.Second      // and half as long with each moment in which it did
	manyLone   = 8                     // after so many lone calls that nothing came between, the next may be one
)

// turn is who reads. Its zero value is a goroutine that always does.
type turn struct {
	frames  *frameReader // of whoever reads; nil: nobody else ever does
	stream  stoppable
	free    bool     // nobody reads
	caller  *call    // who reads, until this call is over; nil: a reading goroutine, or nobody
	kicked  bool     // the caller is to stop reading before
	serving *Request // what the reading goroutine serves: it reads on after that, if nobody does by then; nil: nothing
	lone    int      // answers to lone calls since anything else came
	changes uint64   // of all that

	clock   *time.Timer // ticks each moment while there is something to watch
	ticking bool
	seen    uint64        // changes when it ticked last
	pause   time.Duration // how long the next one will be
	resumes time.Time     // until then a goroutine always reads; zero: no pause
}

// stoppable is what a socket is: its deadline stops a Read.
type stoppable interface{ SetReadDeadline(time.Time) error }

// errRelieved ends a readLoop that has nothing more to do: it is another one's turn, or nobody's.
var errRelieved = errors.New("another one reads")

// startReading lets a goroutine read from the socket.
func (c *Conn) startReading() {
	c.update(func(s *state) {
		t := &s.turn
		t.frames, t.stream, t.pause = newFrameReader(c.socket, c.opts.Memory), c.socket, leastPause
		t.clock = newClock(c.tick)
		s.direct = direct{on: c.opts.Direct, most: runtime.GOMAXPROCS(0), typical: moment}
		c.readOnward(s)
	})
}

// readOnward starts a reading goroutine, whoever had the turn.
func (c *Conn) readOnward(s *state) {
	t := &s.turn
	t.set(false, nil, nil)
	t.lone = 0
	s.held = false // by who read before
	if s.phase == closed {
		return
	}
	c.workers.Add(1)
	go func() {
		defer c.workers.Done()
		batch := new(Batch)
		defer batch.write()
		c.read(&reading{batch: batch})
	}()
}

// read is readLoop for whoever has the turn.
func (c *Conn) read(in *reading) {
	in.frames = c.state.turn.frames
	if err := c.readLoop(in); err != errRelieved {
		c.end(err)
	}
}

// set says whose turn it is.
func (t *turn) set(free bool, caller *call, serving *Request) {
	if t.kicked && caller != t.caller {
		t.kicked, t.frames.stopped = false, false
		_ = t.stream.SetReadDeadline(time.Time{})
	}
	t.free, t.caller, t.serving = free, caller, serving
	t.changes++
	if free || caller != nil {
		t.watch()
	}
}

// watch lets the clock tick.
func (t *turn) watch() {
	if !t.ticking {
		t.ticking, t.seen = true, t.changes-1
		t.clock.Reset(moment)
	}
}

// served says that the reading goroutine has served a request, which took so long; the error is errRelieved if it reads no more.
func (c *Conn) served(r *Request, took time.Duration) error {
	c.mu.Lock()
	defer c.unlock()
	t, d := &c.state.turn, &c.state.direct
	d.took(took)
	if t.serving != r {
		return errRelieved
	}
	if !t.free {
		t.set(false, t.caller, nil)
		return errRelieved
	}
	t.set(false, nil, nil)
	return nil
}

// enter lets somebody read the answer to a call that goes out: its caller, if nobody reads and the call is alone and no slow one.
func (c *Conn) enter(s *state, call *call) {
	if len(s.direct.queue) > 0 {
		c.giveUp(s) // whoever makes the call may be who the others wait for
	}
	t := &s.turn
	if call.receiver != nil {
		t.lone = 0 // whoever reads now will have to read its answer
	}
	switch {
	case !t.free || s.phase == closed:
	case !call.quick || t.paused() || len(s.calls) > 0 || len(s.urgent.frames)+len(s.work.frames) > 1 || len(s.waiting) > 0:
		c.readOnward(s)
	default:
		c.workers.Add(1)
		call.reads = true
		t.set(false, call, t.serving)
	}
}

// leave ends the turn of who has read the answer to a call, if it was the caller or a goroutine that is not needed. more says that the
// next frame has come already.
func (c *Conn) leave(s *state, call *call, more bool) (relieved bool) {
	t := &s.turn
	if t.frames == nil {
		return false
	}
	alone := !more && len(s.calls) == 0 && !s.queued() && len(s.waiting) == 0
	if t.lone++; !alone {
		t.lone = 0
	}
	if t.caller != call && (t.caller != nil || t.lone < manyLone || t.paused()) {
		return false
	}
	if alone && (t.serving != nil || t.lone >= manyLone) {
		t.set(true, nil, t.serving)
	} else {
		c.readOnward(s)
	}
	return true
}

// pass leaves reading to a goroutine before the answer has come that a caller reads for.
func (c *Conn) pass() error {
	c.update(c.readOnward)
	return errRelieved
}

// kick makes a caller who reads stop as soon as a frame has come whole.
func (t *turn) kick() {
	t.kicked = true
	_ = t.stream.SetReadDeadline(time.Unix(1, 0))
}

// paused reports whether a goroutine has to read all the time.
func (t *turn) paused() bool {
	if t.resumes.IsZero() {
		return false
	}
	if time.Now().Before(t.resumes) {
		return true
	}
	t.resumes = time.Time{}
	return false
}

// failed begins a pause.
func (t *turn) failed() {
	t.resumes = time.Now().Add(t.pause)
	t.pause = min(2*t.pause, mostPause)
}

// tick lets a goroutine read if nothing has changed since it ticked last, and stops when there is nothing to watch.
func (c *Conn) tick() {
	c.update(func(s *state) {
		t, d := &s.turn, &s.direct
		if s.phase == closed {
			return
		}
		still := t.changes == t.seen
		switch {
		case still && t.caller != nil:
			if !t.kicked {
				t.failed()
				t.kick()
			}
		case still && t.serving != nil || d.stuck():
			c.giveUp(s)
		case still && t.free:
			c.readOnward(s)
		case t.changes > t.seen+1:
			t.pause = max(t.pause/2, leastPause)
		}
		t.seen = t.changes
		if t.ticking = t.free || t.caller != nil || d.look(); t.ticking {
			t.clock.Reset(moment)
		}
	})
}

// close ends the clock.
func (t *turn) close() {
	if t.clock != nil {
		t.clock.Stop()
	}
}
