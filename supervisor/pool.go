package supervisor

import "sync"

// pool has what nobody knows any more, to be used again. Its zero value is ready for use, concurrently too.
type pool[T any] struct{ unused sync.Pool }

// get returns one that is zero.
func (p *pool[T]) get() *T {
	if x, ok := p.unused.Get().(*T); ok {
		return x
	}
	return new(T)
}

// put takes one back that nobody but the caller knows.
func (p *pool[T]) put(x *T) {
	*x = *new(T)
	p.unused.Put(x)
}
