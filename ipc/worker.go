package ipc

import "time"

// Workers that wait for a request: how many at most, and how many still when there was nothing to do for the others.
const (
	maxIdle  = 128
	keepIdle = 1
	idleTime = time.Second
)

// worker is a goroutine that runs handlers, one after the other: a new one for each would grow its stack each time. It ends when
// too many are idle, when it was not needed for a while, and with the connection.
type worker struct {
	next chan *Request // holds one; closed when there will be none
}

// bench holds the workers that wait, the one that has waited longest first.
type bench struct {
	resting []*worker
	unused  int         // how many of the first have not been needed since the last sweep
	sweep   *time.Timer // runs while more than keepIdle wait
}

// pop takes the worker that has waited shortest, nil if there is none.
func (b *bench) pop() *worker {
	n := len(b.resting) - 1
	if n < 0 {
		return nil
	}
	w := b.resting[n]
	b.resting[n], b.resting = nil, b.resting[:n]
	b.unused = min(b.unused, n)
	return w
}

// dismiss ends the n workers that have waited longest.
func (b *bench) dismiss(n int) {
	for _, w := range b.resting[:n] {
		close(w.next)
	}
	b.resting = append(b.resting[:0:0], b.resting[n:]...)
	b.unused = len(b.resting)
}

// recruit names a worker for a request, nil for a new one; hire it next.
func (c *Conn) recruit(s *state) *worker {
	w := s.pop()
	if w == nil {
		c.workers.Add(1)
	}
	s.direct.active++
	return w
}

// hire gives a request to a worker that waits, or to a new one.
func (c *Conn) hire(w *worker, r *Request) {
	if w != nil {
		w.next <- r
		return
	}
	go c.work(&worker{next: make(chan *Request, 1)}, r)
}

// work runs handlers until there is nothing more to do.
func (c *Conn) work(w *worker, r *Request) {
	defer c.workers.Done()
	defer func() {
		if r != nil { // its handler has ended this goroutine
			c.update(func(s *state) {
				s.direct.active--
				if next := s.direct.next(); next != nil {
					c.hire(c.recruit(s), next)
				}
			})
		}
	}()
	for r != nil {
		took := c.serve(r)
		r = c.rest(w, took)
	}
}

// rest waits for the next request after one that took so long; nil is the worker's end.
func (c *Conn) rest(w *worker, took time.Duration) *Request {
	c.mu.Lock()
	s := &c.state
	s.direct.took(took)
	if r := s.direct.next(); r != nil {
		c.unlock()
		return r
	}
	s.direct.active--
	stays := s.phase != closed && len(s.resting) < maxIdle
	if stays {
		s.resting = append(s.resting, w)
		if len(s.resting) == keepIdle+1 && s.sweep == nil {
			s.unused = keepIdle
			s.sweep = time.AfterFunc(idleTime, c.sweepIdle)
		}
	}
	c.unlock()
	if !stays {
		return nil
	}
	return <-w.next
}

// sweepIdle ends the workers that were not needed since it ran last.
func (c *Conn) sweepIdle() {
	c.update(func(s *state) {
		s.dismiss(max(0, min(s.unused, len(s.resting)-keepIdle)))
		s.sweep = nil
		if len(s.resting) > keepIdle && s.phase != closed {
			s.sweep = time.AfterFunc(idleTime, c.sweepIdle)
		}
	})
}

// endIdle ends the workers that wait.
func (s *state) endIdle() {
	s.dismiss(len(s.resting))
	if s.sweep != nil {
		s.sweep.Stop()
	}
}
