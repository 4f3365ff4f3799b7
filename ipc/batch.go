package ipc

import "slices"

// Batch holds back what a goroutine sends while it takes apart what it has read at once, on any number of connections: many frames
// share a system call. It belongs to that goroutine; what is sent from another one is given nil, which holds back nothing.
type Batch struct {
	open  bool    // more has been read than what is taken apart now
	conns []*Conn // where something is held back
}

// mostHeld is how many frames are held back at most: the peer can begin with them.
const mostHeld = 12

// hold reports whether what has just been queued for c waits for the rest of the batch. The caller holds c's lock.
func (b *Batch) hold(c *Conn) bool {
	s := &c.state
	s.held = b != nil && b.open && len(s.work.frames) < mostHeld
	if s.held && !slices.Contains(b.conns, c) {
		b.conns = append(b.conns, c)
	}
	return s.held
}

// writeBut lets go of what is held back elsewhere than on c: who serves a request of c may take long.
func (b *Batch) writeBut(c *Conn) {
	if len(b.conns) > 1 || len(b.conns) == 1 && b.conns[0] != c {
		b.write()
	}
}

// write lets go of what is held back.
func (b *Batch) write() {
	for _, c := range b.conns {
		c.mu.Lock()
		mine := c.state.held && c.claim()
		c.state.held = false
		c.unlock()
		if mine {
			c.flush(false)
		}
	}
	clear(b.conns)
	b.conns = b.conns[:0]
}
