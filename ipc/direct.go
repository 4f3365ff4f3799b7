package ipc

import (
	"errors"
	"time"
)

// Where handlers are mostly quick (Options.Direct), waking a goroutine costs more than most of them take. So the goroutine that
// read a request serves it, if it came alone; and of many at once only as many are served at a time as there are processors, the
// others by whoever is done first.
//
//	reading ── a lone request ──> serving it ── in time ──> reading
//	        │                          └── replaced ──────> another goroutine reads; of the two, whoever is done first reads on
//	        └─ more than that ──> a worker, or the queue of those that wait for one
//
// That is given up for a while as soon as a handler takes longer than a moment or makes a call itself, which somebody may have to
// read the answer of: then every request has a worker of its own.

// How long the reading goroutine serves a request, and a request is queued, before that is given up: between one and two moments.
// It is tried again after a pause, which doubles each time and is halved by every moment in which somebody was served in time.
const (
	moment     = 2 * time.Millisecond
	leastPause = 10 * time.Millisecond
	mostPause  = 10 * time.Second
)

// direct is part of state. The zero value serves nothing directly.
type direct struct {
	on      bool
	frames  *frameReader // for who replaces the reading goroutine
	serving bool         // the reading goroutine serves a request
	served  uint64       // counts what it has begun to serve
	queue   []*request   // the oldest first
	active  int          // workers that serve
	most    int          // how many may before others are queued
	clock   *time.Timer  // ticks every moment while there is something to watch
	ticking bool
	seen    uint64   // served when it ticked last
	head    *request // the oldest of the queue then
	pause   time.Duration
	resumes time.Time // until then all that is given up; zero: it is not
}

// Stand for workers where one is named.
var (
	self  = new(worker) // the reading goroutine
	later = new(worker) // whoever is done first
)

// errReplaced ends a readLoop in whose place another goroutine reads.
var errReplaced = errors.New("another goroutine reads")

// startReading lets a goroutine read until the connection ends, and serve what comes alone.
func (c *Conn) startReading(frames *frameReader, processors int) {
	c.update(func(s *state) {
		if s.phase == closed {
			return
		}
		d := &s.direct
		*d = direct{on: true, frames: frames, most: processors, pause: leastPause, clock: time.AfterFunc(moment, c.tick), ticking: true}
		c.readOnward(d)
	})
}

// readOnward starts a reading goroutine. The caller holds the lock.
func (c *Conn) readOnward(d *direct) {
	c.workers.Add(1)
	go func() {
		returned := false
		defer func() {
			if !returned && c.replaced() == nil { // a handler has ended this goroutine by runtime.Goexit
				c.update(func(*state) { c.readOnward(d) })
			}
			c.workers.Done()
		}()
		if err := c.readLoop(d.frames); err != errReplaced {
			c.end(err)
		}
		returned = true
	}()
}

// assign says who serves a request: self, later or, with nil, a worker of its own. last: no other has come with it.
func (d *direct) assign(r *request, last, alone bool) *worker {
	if !d.on || r.Type == TypeInit || r.Type == TypeHealthCheck || r.Type == TypeShutdown || !d.resumes.IsZero() && time.Now().Before(d.resumes) {
		return nil
	}
	d.resumes = time.Time{}
	switch {
	case last && alone:
		d.serving = true
		d.served++
		d.watch()
		return self
	case d.active >= d.most:
		d.queue = append(d.queue, r)
		d.watch()
		return later
	}
	return nil
}

// next takes the oldest request out of the queue; nil if there is none.
func (d *direct) next() *request {
	if len(d.queue) == 0 {
		return nil
	}
	r := d.queue[0]
	d.queue[0] = nil
	if d.queue = d.queue[1:]; len(d.queue) == 0 {
		d.queue = nil
	}
	return r
}

// watch lets the clock tick.
func (d *direct) watch() {
	if !d.ticking {
		d.ticking, d.seen, d.head = true, d.served-1, nil
		d.clock.Reset(moment)
	}
}

// serveDirectly serves a request on the reading goroutine.
func (c *Conn) serveDirectly(r *request) error {
	c.serve(r)
	return c.replaced()
}

// replaced ends what the reading goroutine serves; the error says that it reads no more.
func (c *Conn) replaced() error {
	c.mu.Lock()
	defer c.unlock()
	d := &c.state.direct
	if !d.serving {
		return errReplaced
	}
	d.serving = false
	return nil
}

// giveUp lets another goroutine read if the one that does serves a request, and gives those that are queued workers of their own.
func (c *Conn) giveUp(s *state) {
	d := &s.direct
	if !d.serving && len(d.queue) == 0 {
		return
	}
	d.resumes = time.Now().Add(d.pause)
	d.pause = min(2*d.pause, mostPause)
	d.head = nil
	if d.serving {
		d.serving = false
		c.readOnward(d)
	}
	for r := d.next(); r != nil; r = d.next() {
		c.hire(c.recruit(s), r)
	}
}

// tick gives up what has not gone on since it ticked last, and stops when there is nothing to watch.
func (c *Conn) tick() {
	c.update(func(s *state) {
		d := &s.direct
		if !d.on {
			return
		}
		var head *request
		if len(d.queue) > 0 {
			head = d.queue[0]
		}
		switch {
		case d.serving && d.served == d.seen, head != nil && head == d.head:
			c.giveUp(s)
			d.ticking = false
		case head == nil && d.served == d.seen:
			d.ticking = false
		default:
			if d.head != nil || d.served-d.seen > 1 || !d.serving && head == nil { // what was there has gone on
				d.pause = max(d.pause/2, leastPause)
			}
			d.seen, d.head = d.served, head
			d.clock.Reset(moment)
		}
	})
}

// close ends all that; what is queued will not be answered.
func (d *direct) close() (unserved []*request) {
	unserved, d.on, d.queue, d.head = d.queue, false, nil, nil
	if d.clock != nil {
		d.clock.Stop()
	}
	return unserved
}
