package host

import (
	"context"
	"sync"
	"time"
)

// change is what happened to a key.
type change struct {
	key      string
	value    []byte
	deleted  bool
	revision uint64
	time     time.Time
}

// feed holds the changes that wait for a watcher, in order. When it is full, a change gives way whose key has a newer one; only if there is none,
// whoever puts has to wait, and what happens meanwhile the engine unites: it keeps one value per key. So the last change of every key
// gets through in bounded memory.
//
// One goroutine puts, one takes.
type feed struct {
	limit int
	room  chan struct{} // has something when there may be room again
	some  chan struct{} // has something when there may be a change

	mu      sync.Mutex
	waiting []*change
	of      map[string]int // how many changes of a key wait
	lost    uint64         // since the last take
}

func newFeed(limit int) *feed {
	return &feed{limit: limit, room: make(chan struct{}, 1), some: make(chan struct{}, 1), of: map[string]int{}}
}

func (f *feed) put(ctx context.Context, c *change) error {
	for !f.accept(c) {
		select {
		case <-f.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	wake(f.some)
	return nil
}

// accept is false if there is no room for c.
func (f *feed) accept(c *change) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.of[c.key]++
	if len(f.waiting) >= f.limit && !f.unite() {
		f.forget(c.key)
		return false
	}
	f.waiting = append(f.waiting, c)
	return true
}

// unite drops the oldest change whose key has a newer one. The caller holds the mutex.
func (f *feed) unite() bool {
	for i, c := range f.waiting {
		if f.of[c.key] > 1 {
			f.forget(c.key)
			f.waiting = append(f.waiting[:i], f.waiting[i+1:]...)
			f.lost++
			return true
		}
	}
	return false
}

func (f *feed) forget(key string) {
	if f.of[key]--; f.of[key] == 0 {
		delete(f.of, key)
	}
}

// take returns the oldest change, and how many were dropped since the one before.
func (f *feed) take(ctx context.Context) (c *change, lost uint64, err error) {
	for {
		if c, lost = f.first(); c != nil {
			wake(f.room)
			return c, lost, nil
		}
		select {
		case <-f.some:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

func (f *feed) first() (*change, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		return nil, 0
	}
	c, lost := f.waiting[0], f.lost
	f.waiting[0] = nil
	f.waiting, f.lost = f.waiting[1:], 0
	f.forget(c.key)
	return c, lost
}

// wake leaves a sign in c, if there is none yet.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
