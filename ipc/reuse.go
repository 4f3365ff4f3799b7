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
// So an idle connection keeps none. While there is a load it keeps mostReused at a time; what is beyond that is ordinary memory.
const (
	leastReused = 32 << 10 // smaller frames are cheap
	mostReused  = 9 << 20
	besides     = 4 << 10 // what a block has room for beside a payload whose size is a power of two
)

// blocks is memory for large frames of a connection, by size.
type blocks struct {
	used  atomic.Int64 // bytes with a finalizer
	sizes [7]source
}

// source gives blocks of one size.
type source interface {
	size() int
	get(used *atomic.Int64) []byte
}

func newBlocks() *blocks {
	return &blocks{sizes: [...]source{
		new(stock[[64<<10 + besides]byte]),
		new(stock[[128<<10 + besides]byte]),
		new(stock[[256<<10 + besides]byte]),
		new(stock[[512<<10 + besides]byte]),
		new(stock[[1<<20 + besides]byte]),
		new(stock[[2<<20 + besides]byte]),
		new(stock[[4<<20 + besides]byte]),
	}}
}

// get returns n bytes that are anything. All of them have to be overwritten before anybody sees them.
func (b *blocks) get(n int) []byte {
	for _, s := range b.sizes {
		if n > s.size() {
			continue
		}
		if b.used.Load()+int64(s.size()) > mostReused {
			break
		}
		return s.get(&b.used)[:n:n]
	}
	return make([]byte, n)
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
	used.Add(int64(size))
	runtime.SetFinalizer(block, func(block *A) {
		used.Add(int64(-size))
		p.unused.Put(block)
	})
	return unsafe.Slice((*byte)(unsafe.Pointer(block)), size)
}
