package ipc

import "time"

// Where handlers are mostly quick (Options.Direct), waking a goroutine costs more than most of them take. So the goroutine that
// read a request serves it, if it came alone (see turn), or if all that came is done before another one would be awake; and of more at
// once only as many are served at a time as there are processors, the others by whoever is done first.
//
//	reading ── a lone request, or little work ──> serving it
//	        └─ more than that ──────────────────> a worker, or the queue of those that wait for one
//
// That is given up for a while as soon as a handler takes longer than a moment or makes a call itself while others wait, which may
// take long: then every request has a worker of its own.

// direct is part of state. The zero value serves nothing directly.
type direct struct {
	on     bool
	queue  []*Request // the oldest first
	head   *Request   // the oldest when the clock ticked last
	active int        // workers that serve
	most   int        // how many may before others are queued

	typical time.Duration // how long a request takes lately
}

// worthWaking is so much work that it is shared with another goroutine.
const worthWaking = 500 * time.Microsecond

// Stand for workers where one is named.
var (
	self      = new(worker) // the reading goroutine
	later     = new(worker) // whoever is done first
	elsewhere = new(worker) // who Options.Relay passes it on to, if it does
)

// assign says who serves a request: self, later or, with nil, a worker of its own.
func (s *state) assign(r *Request, in *reading) *worker {
	t, d := &s.turn, &s.direct
	t.lone = 0
	if !d.on || !quick(&r.Envelope) || t.paused() {
		return nil
	}
	lone := in.behind == 0 && len(s.inbound) == 1
	little := d.active == 0 && len(d.queue) == 0 && d.typical*time.Duration(in.behind+1) < worthWaking
	switch {
	case (lone || little) && t.caller == nil:
		t.set(true, nil, r)
		r.batch = in.batch
		return self
	case d.active >= d.most:
		d.queue = append(d.queue, r)
		t.watch()
		return later
	}
	return nil
}

// next takes the oldest request out of the queue; nil if there is none.
func (d *direct) next() *Request {
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

// took takes down how long a request took. One that took much longer than is typical counts as twice that, and more: its thread may
// have been kept from running.
func (d *direct) took(t time.Duration) {
	d.typical += (min(t, 2*d.typical+10*time.Microsecond, moment) - d.typical) / 8
}

// look takes down which request is the oldest of the queue; false if there is none.
func (d *direct) look() bool {
	d.head = nil
	if len(d.queue) > 0 {
		d.head = d.queue[0]
	}
	return d.head != nil
}

// stuck reports whether the oldest request of the queue is still the one it was when look was called last.
func (d *direct) stuck() bool { return d.head != nil && len(d.queue) > 0 && d.queue[0] == d.head }

// giveUp lets another goroutine read if the one that does serves a request, and gives those that are queued workers of their own.
func (c *Conn) giveUp(s *state) {
	s.turn.failed()
	if s.turn.serving != nil && s.turn.free {
		c.readOnward(s)
	}
	for r := s.direct.next(); r != nil; r = s.direct.next() {
		c.hire(c.recruit(s), r)
	}
}

// close ends all that; what is queued will not be answered.
func (d *direct) close() (unserved []*Request) {
	unserved, d.on, d.queue, d.head = d.queue, false, nil, nil
	return unserved
}
