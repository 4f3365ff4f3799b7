package ipc

import (
	"errors"
	"time"
)

// A request that comes alone need not wake a worker: the reading goroutine serves it and then reads on. If that takes longer than a
// moment, or the handler itself waits for an answer that somebody must read, another goroutine reads in its place.
//
//	reading ── a lone request ──> serving ── done in time ──> reading
//	                                 └────── replaced ──────> a worker like others, when it is done

// How long the reading goroutine serves a request before it is replaced: between one and two moments. After that no request is
// served directly for a pause, which doubles each time and is halved by every moment in which all went well.
const (
	moment     = time.Millisecond
	leastPause = 10 * time.Millisecond
	mostPause  = 10 * time.Second
)

// direct is what the reading goroutine serves itself. It is part of state.
type direct struct {
	on      bool         // it may
	frames  *frameReader // what it reads from, and who replaces it
	serving bool
	served  uint64      // counts what it has begun to serve
	seen    uint64      // served when the clock ticked last
	clock   *time.Timer // ticks every moment while there is something to watch
	ticking bool
	pause   time.Duration
	resumes time.Time // nothing is served directly before
}

// self stands for the reading goroutine where a worker is named.
var self = new(worker)

// errReplaced ends a readLoop in whose place another goroutine reads.
var errReplaced = errors.New("another goroutine reads")

// startReading lets a goroutine read until the connection ends, and serve what comes alone.
func (c *Conn) startReading(frames *frameReader) {
	c.update(func(s *state) {
		d := &s.direct
		d.on, d.frames, d.pause = true, frames, leastPause
		d.clock = time.AfterFunc(moment, c.tick)
		d.ticking = true
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

// begin reports whether the reading goroutine serves the request that has come.
func (d *direct) begin() bool {
	if !d.on || !d.resumes.IsZero() && time.Now().Before(d.resumes) {
		return false
	}
	d.serving, d.resumes = true, time.Time{}
	d.served++
	if !d.ticking {
		d.ticking, d.seen = true, d.served-1
		d.clock.Reset(moment)
	}
	return true
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

// readOn replaces a reading goroutine that serves a request.
func (c *Conn) readOn() {
	if !c.opts.Direct {
		return
	}
	c.update(func(s *state) { c.replace(&s.direct) })
}

// replace is readOn for who holds the lock.
func (c *Conn) replace(d *direct) {
	if !d.serving {
		return
	}
	d.serving = false
	d.resumes = time.Now().Add(d.pause)
	d.pause = min(2*d.pause, mostPause)
	c.readOnward(d)
}

// tick replaces a reading goroutine that has served the same request for a moment, and stops when there is nothing to watch.
func (c *Conn) tick() {
	c.update(func(s *state) {
		d := &s.direct
		switch {
		case !d.on:
			return
		case d.served != d.seen:
			d.pause = max(d.pause/2, leastPause)
		case d.serving:
			c.replace(d)
			fallthrough
		default:
			d.ticking = false
			return
		}
		d.seen = d.served
		d.clock.Reset(moment)
	})
}

// close ends what the clock does.
func (d *direct) close() {
	d.on = false
	if d.clock != nil {
		d.clock.Stop()
	}
}
