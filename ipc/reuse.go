package ipc

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Who gets a payload owns it, and nobody says when they have done with it but the garbage collector. So a large block has a finalizer:
// when nobody knows the block any more it is used again, neither cleared nor counted as new, and the collector, which a few of them
// bring about otherwise, runs more seldom.
//
//	fresh ──> used ── nobody knows it any more ──> pool ──> used ...
//	                                                └────── not needed in the time of two collections ──> gone
//
// So who receives nothing large keeps nothing. What is beyond mostReused at a time is ordinary memory.
const (
	leastReused = 32 << 10 // smaller frames are cheap
	mostReused  = 32 << 20
	besides     = 4 << 10 // what a block has room for beside a payload whose size is a power of two
)

// Memory is where connections receive large payloads. Several connections can share one, which bounds what they keep for that
// together: 32 MiB while there is a load, nothing after three garbage collections without. The zero value is ready for use. A Memory
// must not be copied, nor be part of something else, which would live as long as anybody has a payload.
type Memory struct {
	used atomic.Int64 // bytes with a finalizer

	k64  stock[[64<<10 + besides]byte]
	k128 stock[[128<<10 + besides]byte]
	k256 stock[[256<<10 + besides]byte]
	k512 stock[[512<<10 + besides]byte]
	m1   stock[[1<<20 + besides]byte]
	m2   stock[[2<<20 + besides]byte]
	m4   stock[[4<<20 + besides]byte]
}

// source gives blocks of one size.
type source interface {
	size() int
	get(used *atomic.Int64) []byte // which it is taken off when nobody knows the block any more
}

// get returns n bytes that are anything. All of them have to be overwritten before anybody sees them.
func (m *Memory) get(n int) []byte {
	s := m.source(n)
	if s == nil {
		return make([]byte, n)
	}
	if size := int64(s.size()); m.used.Add(size) > mostReused {
		m.used.Add(-size)
		return make([]byte, n)
	}
	return s.get(&m.used)[:n:n]
}

// source has blocks of at least n bytes; nil if that is not worth it, or too much.
func (m *Memory) source(n int) source {
	if n < leastReused {
		return nil
	}
	for _, s := range [...]source{&m.k64, &m.k128, &m.k256, &m.k512, &m.m1, &m.m2, &m.m4} {
		if n <= s.size() {
			return s
		}
	}
	return nil
}

// stock has the blocks of type A, which is an array of bytes, that nobody uses.
type stock[A any] struct{ unused sync.Pool }

func (*stock[A]) size() int { return int(unsafe.Sizeof(*new(A))) }

func (p *stock[A]) get(used *atomic.Int64) []byte {
	block, ok := p.unused.Get().(*A)
	if !ok {
		block = new(A)
	}
	size := p.size()
	runtime.SetFinalizer(block, func(block *A) {
		used.Add(int64(-size))
		p.unused.Put(block)
	})
	return unsafe.Slice((*byte)(unsafe.Pointer(block)), size)
}
