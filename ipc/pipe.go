package ipc

import (
	"io"
	"sync"
)

// pipeBuffer is how much one direction of a Pipe holds before a writer waits, about what a Unix socket holds.
const pipeBuffer = 64 << 10

// Pipe returns two connected ends of an in-memory transport that behaves like a Unix socket: writes are buffered up to
// 64 KiB, a closed end reads EOF at the other once the buffer is empty, writing to it fails with io.ErrClosedPipe.
// It works under testing/synctest.
func Pipe() (host, module io.ReadWriteCloser) {
	down, up := newHalf(), newHalf()
	return &pipeEnd{in: up, out: down}, &pipeEnd{in: down, out: up}
}

type pipeEnd struct{ in, out *half }

func (p *pipeEnd) Read(b []byte) (int, error)  { return p.in.read(b) }
func (p *pipeEnd) Write(b []byte) (int, error) { return p.out.write(b) }

// Close ends both directions: the peer reads what is buffered and then EOF, and its writes fail.
func (p *pipeEnd) Close() error {
	p.in.close(true)
	p.out.close(false)
	return nil
}

// half is one direction: a bounded buffer between one writer and one reader.
type half struct {
	mu     sync.Mutex
	change sync.Cond
	buf    []byte
	closed bool // no more writes
	gone   bool // no more reads
}

func newHalf() *half {
	h := new(half)
	h.change.L = &h.mu
	return h
}

func (h *half) close(byReader bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.gone = h.gone || byReader
	h.change.Broadcast()
}

func (h *half) read(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.buf) == 0 && !h.closed && !h.gone {
		h.change.Wait()
	}
	if h.gone {
		return 0, io.ErrClosedPipe
	}
	if len(h.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(b, h.buf)
	h.buf = append(h.buf[:0], h.buf[n:]...)
	h.change.Broadcast()
	return n, nil
}

func (h *half) write(b []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(b) > 0 {
		for len(h.buf) >= pipeBuffer && !h.closed {
			h.change.Wait()
		}
		if h.closed {
			return n, io.ErrClosedPipe
		}
		k := min(len(b), pipeBuffer-len(h.buf))
		h.buf = append(h.buf, b[:k]...)
		b, n = b[k:], n+k
		h.change.Broadcast()
	}
	return n, nil
}
