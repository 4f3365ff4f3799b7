package logs

import (
	"context"
	"iter"
)

// defaultBuffer is how many entries wait for a follower that asks for no number.
const defaultBuffer = 256

// follower is one reader of what comes.
type follower struct {
	module string // "": all
	queue  chan followed
	lost   int // since the last that fit into the queue
}

type followed struct {
	Entry
	lost int
}

// offer gives the follower an entry if it has room. It runs under the store's lock.
func (f *follower) offer(e Entry) {
	if f.module != "" && f.module != e.Module {
		return
	}
	select {
	case f.queue <- followed{e, f.lost}:
		f.lost = 0
	default:
		f.lost++
	}
}

// Follow yields the entries of a module, or of all modules if that is "", from the call on, each with the number of those lost
// right before it because more than buffer (0: 256) were waiting. It ends with ctx, with the store, or when the caller breaks off,
// and can be gone through once; who never does so has to end ctx. Who wants what was before as well calls Follow first, then
// [Store.Tail], and passes over the entries whose Seq it has seen.
func (s *Store) Follow(ctx context.Context, module string, buffer int) iter.Seq2[Entry, int] {
	if buffer <= 0 {
		buffer = defaultBuffer
	}
	f := &follower{module: module, queue: make(chan followed, buffer)}
	s.mu.Lock()
	if s.closed {
		close(f.queue)
	} else {
		s.followers[f] = struct{}{}
	}
	s.mu.Unlock()
	drop := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dropLocked(f)
	}
	forget := context.AfterFunc(ctx, drop)
	return func(yield func(Entry, int) bool) {
		defer drop()
		defer forget()
		for e := range f.queue {
			if ctx.Err() != nil || !yield(e.Entry, e.lost) {
				return
			}
		}
	}
}

// dropLocked ends a follower once it has read what is waiting.
func (s *Store) dropLocked(f *follower) {
	if _, ok := s.followers[f]; ok {
		delete(s.followers, f)
		close(f.queue)
	}
}
