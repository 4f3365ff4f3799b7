package host

import "github.com/nats-io/nats.go"

// ringBytes bounds what waits in one ring beside the number of events: a large buffer of large events would be more than
// the host's memory.
const ringBytes = 64 << 20

// ring keeps the newest events that fit. Each has a number, its place among all that were pushed, from 1; so a gap is what was lost.
type ring struct {
	limit  int
	bytes  int
	last   uint64 // number of the newest
	first  int    // index of the oldest
	events []*nats.Msg
	counts *reception // of what is lost
}

func newRing(limit int, counts *reception) *ring { return &ring{limit: limit, counts: counts} }

func (r *ring) len() int { return len(r.events) - r.first }

func (r *ring) push(m *nats.Msg) {
	r.last++
	r.bytes += m.Size()
	if len(r.events) == cap(r.events) && r.first > len(r.events)/2 { // make room where the oldest were instead of growing
		n := copy(r.events, r.events[r.first:])
		clear(r.events[n:])
		r.events, r.first = r.events[:n], 0
	}
	r.events = append(r.events, m)
	r.shrink()
}

// pop takes the oldest; nil if there is none.
func (r *ring) pop() (m *nats.Msg, number uint64) {
	if r.len() == 0 {
		return nil, 0
	}
	number = r.last - uint64(r.len()) + 1
	m = r.events[r.first]
	r.events[r.first] = nil
	r.bytes -= m.Size()
	if r.first++; r.first == len(r.events) {
		r.events, r.first = r.events[:0], 0
	}
	return m, number
}

// unpop gives back what was popped last; it is lost if what came after it fills the ring or has pushed others out.
func (r *ring) unpop(m *nats.Msg, number uint64) {
	if number != r.last-uint64(r.len()) || r.len() >= r.limit {
		r.counts.drop()
		return
	}
	r.bytes += m.Size()
	if r.first == 0 {
		r.events = append([]*nats.Msg{m}, r.events...)
		return
	}
	r.first--
	r.events[r.first] = m
}

func (r *ring) resize(limit int) {
	r.limit = limit
	r.shrink()
}

// shrink drops the oldest until the rest is within the bounds.
func (r *ring) shrink() {
	for r.len() > r.limit || (r.bytes > ringBytes && r.len() > 1) {
		r.pop()
		r.counts.drop()
	}
}
