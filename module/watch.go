package module

import (
	"cmp"
	"context"

	"github.com/ixtrun/ixt/ipc"
)

// KVChange is a change of a key, as a watcher sees it.
type KVChange struct {
	KVEntry        // without a Value if it was deleted; Time is to the second
	Deleted bool   // the key was deleted, or its TTL is over
	Lost    uint64 // how many changes gave way to newer ones of their keys since the one before
}

// Watch calls f for every key that matches pattern ("" is all): first with its present value, then with every change. It is
// delivered like an event, with what Subscribe says about f, errors and restarts. When f is slow, a key's older changes give way to
// its newest, so that f always ends with the present value.
func (kv *KV) Watch(ctx context.Context, pattern string, f func(ctx context.Context, c *KVChange) error) error {
	if f == nil {
		return kv.host.failed(CodeInvalidInput, NotDelivered, "the handler of %q is nil", pattern)
	}
	params := ipc.KVParams{Bucket: kv.bucket, Pattern: pattern}
	return kv.host.subscribe(ctx, kv.origin(pattern), params, func(ctx context.Context, d *delivery) error {
		return f(ctx, &KVChange{
			KVEntry: KVEntry{Key: d.Message.Topic, Value: d.payload, Revision: d.Revision, Time: d.time()},
			Deleted: d.Op == ipc.OpDelete, Lost: d.Lost,
		})
	})
}

// Unwatch ends the watch of pattern. NOT_FOUND means that there is none.
func (kv *KV) Unwatch(ctx context.Context, pattern string) error {
	return kv.host.unsubscribe(ctx, kv.origin(pattern))
}

func (kv *KV) origin(pattern string) origin {
	return origin{service: ipc.ServiceKV, bucket: cmp.Or(kv.bucket, kv.host.id.Name), pattern: cmp.Or(pattern, ">")}
}
