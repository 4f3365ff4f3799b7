package moduletest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// maxKeys is how many keys one answer lists.
const maxKeys = 10_000

// stores are the buckets of keys and values. A change is offered to watches under the lock, so that they see changes in order.
type stores struct {
	mu      sync.Mutex
	buckets map[string]*store
}

// store is one bucket.
type store struct {
	offer    func(ipc.Event) []<-chan error // to the bucket's watches
	revision uint64
	entries  map[string]*entry
}

type entry struct {
	value    []byte
	revision uint64
	set      time.Time
	expiry   *time.Timer // nil: lives for ever
	expires  time.Time
}

// in runs f with the store of a bucket; f must not wait.
func (s *stores) in(h *Harness, bucket string, f func(*store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets == nil {
		s.buckets = make(map[string]*store)
	}
	b := s.buckets[bucket]
	if b == nil {
		b = &store{
			offer:   func(e ipc.Event) []<-chan error { return h.outlets.offer(bucket, e) },
			entries: make(map[string]*entry),
		}
		s.buckets[bucket] = b
	}
	f(b)
}

// stop forgets what has yet to expire.
func (s *stores) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.buckets {
		for _, e := range b.entries {
			if e.expiry != nil {
				e.expiry.Stop()
			}
		}
	}
}

// get returns the entry of key, or nil; one whose time is over is deleted first.
func (b *store) get(key string) *entry {
	e := b.entries[key]
	if e != nil && e.expiry != nil && !time.Now().Before(e.expires) {
		b.remove(key)
		return nil
	}
	return e
}

// expect is CONFLICT unless the key's revision is the one wanted; nil wants none.
func (b *store) expect(key string, want *uint64) error {
	var present uint64
	if e := b.get(key); e != nil {
		present = e.revision
	}
	if want == nil || *want == present {
		return nil
	}
	err := ipc.Refuse(ipc.CodeConflict, "%s has revision %d, not %d", key, present, *want)
	err.Details, _ = json.Marshal(map[string]uint64{"revision": present}) // nothing in it can fail
	return err
}

func (b *store) put(key string, value []byte) (revision uint64, settled []<-chan error) {
	b.get(key) // what is over was deleted before
	b.forget(key)
	b.revision++
	b.entries[key] = &entry{value: slices.Clone(value), revision: b.revision, set: time.Now()}
	return b.revision, b.offer(b.change(key))
}

// expireIn lets a key that is there live for d.
func (s *stores) expireIn(b *store, key string, d time.Duration) {
	e := b.entries[key]
	e.expires = time.Now().Add(d)
	e.expiry = time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if b.entries[key] == e {
			b.remove(key)
		}
	})
}

// remove deletes a key; that there is none changes nothing.
func (b *store) remove(key string) (settled []<-chan error) {
	if b.entries[key] == nil {
		return nil
	}
	b.forget(key)
	b.revision++
	e := ipc.Event{
		Delivery: ipc.Delivery{Op: ipc.OpDelete, Revision: b.revision},
		Message:  ipc.Message{Topic: key}, Context: ipc.Context{Timestamp: time.Now().Unix()},
	}
	return b.offer(e)
}

func (b *store) forget(key string) {
	if e := b.entries[key]; e != nil && e.expiry != nil {
		e.expiry.Stop()
	}
	delete(b.entries, key)
}

// change is the present value of a key as a watch sees it.
func (b *store) change(key string) ipc.Event {
	e := b.entries[key]
	return ipc.Event{
		Delivery: ipc.Delivery{Op: ipc.OpSet, Revision: e.revision},
		Message:  ipc.Message{Topic: key, Payload: ipc.EncodePayload(e.value)},
		Context:  ipc.Context{Timestamp: e.set.Unix()},
	}
}

// add adds to a counter.
func (b *store) add(key string, delta int64) (value int64, revision uint64, err error) {
	if e := b.get(key); e != nil {
		if value, err = strconv.ParseInt(string(e.value), 10, 64); err != nil {
			return 0, 0, ipc.Refuse(ipc.CodeInvalidInput, "%s is no counter: its value is no whole decimal number", key)
		}
	}
	value += delta
	revision, _ = b.put(key, strconv.AppendInt(nil, value, 10))
	return value, revision, nil
}

// keys returns those that match, sorted.
func (b *store) keys(pattern string) []string {
	keys := []string{}
	for key := range b.entries {
		if matches(pattern, key) && b.get(key) != nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// KV is a bucket of the harness as other modules have it: what Set and Delete change, the module's watches see. It is safe for
// concurrent use.
type KV struct {
	h      *Harness
	bucket string
}

// KV returns the module's own bucket, or that of the one name given; no manifest has to allow it.
func (h *Harness) KV(bucket ...string) *KV {
	return &KV{h, h.bucketName(strings.Join(bucket, " and "))}
}

// Get returns the value of key, and false if there is none.
func (kv *KV) Get(key string) (value []byte, ok bool) {
	kv.h.kv.in(kv.h, kv.bucket, func(b *store) {
		if e := b.get(key); e != nil {
			value, ok = slices.Clone(e.value), true
		}
	})
	return value, ok
}

// Set writes key and returns its revision, when the module's watches have handled the change.
func (kv *KV) Set(key string, value []byte) (revision uint64) {
	var settled []<-chan error
	kv.h.kv.in(kv.h, kv.bucket, func(b *store) { revision, settled = b.put(key, value) })
	_ = await(kv.h.life, settled) // what a watch's handler fails with is in the host's log
	return revision
}

// Delete deletes key and returns when the module's watches have handled the change.
func (kv *KV) Delete(key string) {
	var settled []<-chan error
	kv.h.kv.in(kv.h, kv.bucket, func(b *store) { settled = b.remove(key) })
	_ = await(kv.h.life, settled)
}

// Keys returns all keys, sorted.
func (kv *KV) Keys() (keys []string) {
	kv.h.kv.in(kv.h, kv.bucket, func(b *store) { keys = b.keys("") })
	return keys
}

// bucketName is the bucket that a module means by name.
func (h *Harness) bucketName(name string) string {
	if name != "" {
		return name
	}
	id, err := ipc.ParseModuleID(h.opts.ID)
	if err != nil {
		panic(fmt.Sprintf("moduletest.Options.ID: %v", err))
	}
	return id.Name
}
