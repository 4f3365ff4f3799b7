package host

import "sync"

// readers knows which versions of blobs are being read in this process, so that the parts of one that was replaced or deleted stay until the last of them is
// done. Its methods are safe for concurrent use.
type readers struct {
	purge func(place, string) // removes the parts of a version

	mu sync.Mutex
	of map[held]*readership
}

type held struct{ bucket, id string }

type readership struct {
	count   int
	dropped bool // purge when count is 0
}

func newReaders(purge func(place, string)) *readers {
	return &readers{purge: purge, of: map[held]*readership{}}
}

// hold keeps a version's parts until the result is called, which may purge them.
func (r *readers) hold(at place, id string) (release func()) {
	key := held{at.bucket, id}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of[key] == nil {
		r.of[key] = &readership{}
	}
	r.of[key].count++
	return func() {
		if r.release(key) {
			r.purge(at, id)
		}
	}
}

func (r *readers) release(key held) (purge bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.of[key]
	if s.count--; s.count > 0 {
		return false
	}
	delete(r.of, key)
	return s.dropped
}

// drop purges the parts of a version that nobody can find any more, at once or when nobody reads them.
func (r *readers) drop(at place, id string) {
	r.mu.Lock()
	s := r.of[held{at.bucket, id}]
	if s != nil {
		s.dropped = true
	}
	r.mu.Unlock()
	if s == nil {
		r.purge(at, id)
	}
}
