package ipc

import (
	"encoding/binary"
	"net"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// The stream has one writer at a time: whoever has set state.writing, to whom the burst belongs.
//
//	send ── claim ──> flush ── all was taken ──────────> nobody writes
//	                    └───── the stream would block ──> writeLoop, which waits for the peer ──> nobody writes
//
// So a call that is alone is written by its caller, without a goroutine to wake, and nobody but writeLoop ever waits for a peer
// that does not read. What others queue meanwhile is written together.

// Limits of a burst: how much is joined into one write, and the buffer worth keeping for the next.
const (
	burstSize  = 48 << 10
	keepBuffer = 96 << 10
)

// maxFlushes is how many bursts a sender writes, most of them others', before it leaves the rest to the writing goroutine.
const maxFlushes = 4

// burst is what one system call writes.
type burst struct {
	buf    []byte // frames one after the other; of large ones only the beginning
	closed int    // how much of buf is in parts
	parts  net.Buffers
	left   net.Buffers // those that are not written yet
	size   int
	lent   []*outgoing // those with memory that is a part
}

func (b *burst) reset() {
	if cap(b.buf) > keepBuffer {
		b.buf = nil
	}
	clear(b.parts)
	clear(b.lent)
	*b = burst{buf: b.buf[:0], parts: b.parts[:0], lent: b.lent[:0]}
}

// add puts a frame into the burst; copied says that it holds nothing of the frame's memory.
func (b *burst) add(o *outgoing) (copied bool) {
	b.size += o.size()
	var rest []byte
	b.buf, rest = appendHead(b.buf, o)
	copied = b.put(rest)
	copied = b.put(o.attached) && copied
	if !copied {
		b.lent = append(b.lent, o)
	}
	return copied
}

// put adds what follows, and reports whether it has copied it.
func (b *burst) put(p []byte) (copied bool) {
	if len(p) <= largeBody {
		b.buf = append(b.buf, p...)
		return true
	}
	b.close()
	b.parts = append(b.parts, p)
	return false
}

// appendHead appends the beginning of a frame to dst; what is left of its body follows, and then its attachment.
func appendHead(dst []byte, o *outgoing) (head, rest []byte) {
	start, rest := len(dst), o.body
	dst = append(dst, make([]byte, headerSize)...)
	word := uint32(0)
	if o.attached != nil {
		dst = append(dst, make([]byte, attachmentSize)...)
		word = attachedBit
	}
	object := len(dst)
	if o.id != 0 {
		dst = append(dst, `{"id":`...)
		dst = strconv.AppendInt(dst, o.id, 10)
		dst = append(dst, ',')
		rest = rest[1:]
	}
	if o.attached != nil {
		binary.LittleEndian.PutUint32(dst[start+headerSize:], uint32(len(dst)-object+len(rest)))
	}
	word |= uint32(len(dst) - start - headerSize + len(rest) + len(o.attached))
	binary.LittleEndian.PutUint32(dst[start:], word)
	return dst, rest
}

// close makes what is in buf a part.
func (b *burst) close() {
	if len(b.buf) > b.closed {
		b.parts = append(b.parts, b.buf[b.closed:])
		b.closed = len(b.buf)
	}
}

// wrote says that n bytes more have been written.
func (b *burst) wrote(n int) {
	for len(b.left) > 0 && n >= len(b.left[0]) {
		n -= len(b.left[0])
		b.left = b.left[1:]
	}
	if n > 0 {
		b.left[0] = b.left[0][n:]
	}
}

// claim makes the caller the stream's writer, if there is none and one would be of use. The caller holds the lock and flushes next.
func (c *Conn) claim() bool {
	s := &c.state
	if c.socket == nil || !s.running || s.writing || s.phase == closed || !s.queued() {
		return false
	}
	s.writing = true
	return true
}

// flush writes what is queued and does not wait for the peer: what the stream does not take at once is left to the writing
// goroutine. The caller has claimed the stream. In a crowd others are about to send as well; they are let go first.
func (c *Conn) flush(crowded bool) {
	if crowded {
		runtime.Gosched()
	}
	for range maxFlushes {
		if !c.take(time.Time{}) {
			return
		}
		n, err := c.socket.write(c.burst.left)
		if err != nil {
			c.deafen(err)
			return
		}
		if c.burst.wrote(n); len(c.burst.left) > 0 {
			break
		}
	}
	c.update(func(s *state) { s.handedOver, s.stalls = true, time.Now() })
}

// writeLoop writes what nobody else does, as much at a time as there is: under load many frames share one system call.
//
// A failed write only makes the connection deaf. The peer may have answered calls before it went, so what it wrote is
// still read; the stream's end then closes the connection, or its patience with a peer that lives on and does not listen.
func (c *Conn) writeLoop() {
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		var due bool
		var failed error
		c.update(func(s *state) {
			failed = s.deaf
			switch {
			case s.handedOver:
				s.handedOver, due = false, true
			case !s.writing && s.queued():
				s.writing, due = true, true
				c.burst.reset()
			}
		})
		for due && failed == nil {
			if _, failed = c.burst.left.WriteTo(c.rw); failed != nil {
				c.deafen(failed)
				break
			}
			due = c.take(time.Now())
		}
		if failed != nil {
			c.endDeaf(failed)
			return
		}
	}
}

// deafen gives the peer up as somebody to write to. The caller has the stream.
func (c *Conn) deafen(cause error) {
	c.update(func(s *state) {
		s.writing, s.deaf = false, cause
		s.dropQueues()
		c.wakeWriter()
	})
}

// deafness is how long a connection that cannot write is still read.
const deafness = time.Second

// endDeaf waits for the end of a connection that cannot write, and brings it about if it does not come.
func (c *Conn) endDeaf(cause error) {
	timer := time.NewTimer(deafness)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		c.end(cause)
	}
}

// take moves the next frames into the burst; false if there are none, and then nobody writes any more. From here on their calls
// count as written. The caller has the stream, and waits for the peer from stalls on, if that is not zero.
func (c *Conn) take(stalls time.Time) bool {
	c.mu.Lock()
	s, b := &c.state, &c.burst
	for _, o := range b.lent { // they have been written
		c.recycle(o)
	}
	b.reset()
	c.takeFrom(&s.urgent)
	c.takeFrom(&s.work)
	b.close()
	b.left = b.parts
	any := len(b.parts) > 0
	if s.writing, s.stalls = any, stalls; !any {
		s.stalls = time.Time{}
	}
	s.admit()
	c.unlock()
	return any // if there is nothing, the burst may be another's already
}

func (c *Conn) takeFrom(l *lane) {
	n := 0
	for _, o := range l.frames {
		if c.burst.size >= burstSize {
			break
		}
		n++
		l.bytes -= o.size()
		if o.call != nil {
			c.register(o)
		}
		if c.burst.add(o) {
			c.recycle(o)
		}
	}
	l.frames = slices.Delete(l.frames, 0, n)
}

// register gives a request its id and lets its call wait for the answer.
func (c *Conn) register(o *outgoing) {
	s := &c.state
	s.lastOut++
	o.id, o.call.id = s.lastOut, s.lastOut
	s.calls[o.id] = o.call
	o.call.watch.written(o.id)
}
