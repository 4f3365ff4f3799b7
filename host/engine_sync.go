package host

import (
	"context"

	"github.com/ixtrun/ixt/manifest"
)

// syncing says which writes are on the disk before they are answered. Blobs are, and events that are kept; of a KV bucket says so, in this
// order: the operator for that bucket, the module whose own it is, the operator for all.
type syncing struct {
	standard string
	buckets  map[string]string
	own      map[string]string
}

func newSyncing(opts *Options, modules []*manifest.Module) syncing {
	s := syncing{standard: opts.KVSync, buckets: opts.KVBuckets, own: map[string]string{}}
	for _, m := range modules {
		s.own[m.Name] = m.KV.Sync
	}
	return s
}

func (s syncing) of(bucket string) string {
	for _, sync := range []string{s.buckets[bucket], s.own[bucket]} {
		if sync != "" {
			return sync
		}
	}
	return s.standard
}

// mixed tells whether something may wait: then the embedded server has to leave the syncing to disk.
func (s syncing) mixed() bool {
	for _, of := range []map[string]string{s.buckets, s.own} {
		for bucket := range of {
			if s.of(bucket) == SyncInterval {
				return true
			}
		}
	}
	return s.standard == SyncInterval
}

// leavesSyncing tells whether the embedded server does not sync every write by itself. One that others reach does, because they count on it
// without asking this host.
func (e *engine) leavesSyncing() bool { return e.opts.Listen == "" && e.syncing.mixed() }

// settle returns when everything is on the disk that a stream has acknowledged before the call, as far as that is up to this host: a server of the user's,
// and one that syncs every write, have seen to it before.
func (e *engine) settle(ctx context.Context, stream string) error {
	e.mu.Lock()
	o := e.last
	e.mu.Unlock()
	if o == nil {
		return nil
	}
	<-o.done // it has acknowledged something
	if o.server == nil || o.server.disk == nil {
		return nil
	}
	return o.server.disk.settle(ctx, stream)
}

// settleKV is settle for a bucket of keys, as far as it may not wait.
func (e *engine) settleKV(ctx context.Context, bucket string) error {
	if e.syncing.of(bucket) == SyncInterval {
		return nil
	}
	return e.settle(ctx, kvStreamPrefix+bucket)
}

func (e *engine) settleBlobs(ctx context.Context, bucket string) error {
	return e.settle(ctx, blobStreamPrefix+bucket)
}
