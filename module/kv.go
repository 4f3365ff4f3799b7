package module

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// KV is a bucket of keys and values that the host keeps. It is safe for concurrent use.
//
// Keys are letters, digits, "_", "-", "/" and "=" with dots between segments; values have at most 1 MiB. A write that has
// returned is kept, as far as the operator has not chosen otherwise. Every write of a key gives it a new revision.
type KV struct {
	host   *Host
	bucket string // "": the module's own
}

// KVEntry is the value of a key.
type KVEntry struct {
	Key      string
	Value    []byte
	Revision uint64    // grows with every write; Update and DeleteRevision take it
	Time     time.Time // when it was written
}

// KV returns the module's own bucket, or that of the one name given, which the manifest's [requires] kv has to name. It asks
// nothing of the host.
func (h *Host) KV(bucket ...string) *KV {
	return &KV{host: h, bucket: strings.Join(bucket, " and ")} // two are one that no manifest allows
}

// SetOption says more about a write.
type SetOption func(*ipc.KVParams)

// TTL lets the key live for d, in whole seconds, rounded up; 0 is for ever, which is the default.
func TTL(d time.Duration) SetOption {
	return func(p *ipc.KVParams) { p.TTLMS = int64((d + time.Millisecond - 1) / time.Millisecond) }
}

// IfRevision writes only if that is the key's present revision, 0 if there is no such key; otherwise the error is CONFLICT.
func IfRevision(revision uint64) SetOption {
	return func(p *ipc.KVParams) { p.Revision = &revision }
}

// Get returns the value of key; IsNotFound tells that there is none.
func (kv *KV) Get(ctx context.Context, key string) (*KVEntry, error) {
	e, err := kvRequest[ipc.KVEntry](ctx, kv, ipc.MethodGet, ipc.KVParams{Key: key})
	if err != nil {
		return nil, err
	}
	value, err := e.Payload.Decode()
	if err != nil {
		return nil, kv.host.failed(ipc.CodeProtocolError, Done, "the value of %s cannot be decoded: %v", key, err)
	}
	return &KVEntry{Key: key, Value: value, Revision: e.Revision, Time: time.UnixMilli(e.TimeMS)}, nil
}

// Set writes the value of key, whether there is one or not, and returns the new revision.
func (kv *KV) Set(ctx context.Context, key string, value []byte, opts ...SetOption) (revision uint64, err error) {
	p := ipc.KVParams{Key: key, Payload: ipc.EncodePayload(value)}
	for _, opt := range opts {
		opt(&p)
	}
	w, err := kvRequest[ipc.KVWritten](ctx, kv, ipc.MethodSet, p)
	return w.Revision, err
}

// Create is Set for a key that must not be there yet; IsConflict tells that it is.
func (kv *KV) Create(ctx context.Context, key string, value []byte, opts ...SetOption) (revision uint64, err error) {
	return kv.Set(ctx, key, value, append(opts[:len(opts):len(opts)], IfRevision(0))...)
}

// Update is Set for a key that has not changed since revision; IsConflict tells that it has.
func (kv *KV) Update(ctx context.Context, key string, value []byte, revision uint64, opts ...SetOption) (uint64, error) {
	return kv.Set(ctx, key, value, append(opts[:len(opts):len(opts)], IfRevision(revision))...)
}

// Add adds delta to the counter in key and returns its new value; no key counts as 0. Nobody's addition is lost. A value that
// is no decimal number is INVALID_INPUT.
func (kv *KV) Add(ctx context.Context, key string, delta int64) (int64, error) {
	w, err := kvRequest[ipc.KVCounted](ctx, kv, ipc.MethodAdd, ipc.KVParams{Key: key, Delta: delta})
	return w.Value, err
}

// Delete removes key; that there is none is no error.
func (kv *KV) Delete(ctx context.Context, key string) error {
	_, err := kv.ask(ctx, ipc.MethodDelete, ipc.KVParams{Key: key})
	return err
}

// DeleteRevision is Delete for a key that has not changed since revision; IsConflict tells that it has.
func (kv *KV) DeleteRevision(ctx context.Context, key string, revision uint64) error {
	_, err := kv.ask(ctx, ipc.MethodDelete, ipc.KVParams{Key: key, Revision: &revision})
	return err
}

// Exists reports whether key has a value.
func (kv *KV) Exists(ctx context.Context, key string) (bool, error) {
	e, err := kvRequest[ipc.KVExists](ctx, kv, ipc.MethodExists, ipc.KVParams{Key: key})
	return e.Exists, err
}

// Keys returns the keys that match pattern, as in Subscribe, sorted; "" is all. More than 10,000 are TOO_LARGE.
func (kv *KV) Keys(ctx context.Context, pattern string) ([]string, error) {
	k, err := kvRequest[ipc.KVKeys](ctx, kv, ipc.MethodKeys, ipc.KVParams{Pattern: pattern})
	return k.Keys, err
}

// GetJSON decodes the JSON in key into a T and returns it with its revision. A value that does not fit is an error with outcome
// Done.
func GetJSON[T any](ctx context.Context, kv *KV, key string) (value T, revision uint64, err error) {
	e, err := kv.Get(ctx, key)
	if err != nil {
		return value, 0, err
	}
	if err := json.Unmarshal(e.Value, &value); err != nil {
		return value, e.Revision, kv.host.failed(CodeHandlerError, Done, "the value of %s does not fit: %v", key, err)
	}
	return value, e.Revision, nil
}

// SetJSON is KV.Set for a value that is kept as JSON. IfRevision makes it a Create or an Update.
func SetJSON(ctx context.Context, kv *KV, key string, value any, opts ...SetOption) (revision uint64, err error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return 0, kv.host.failed(CodeInvalidInput, NotDelivered, "the value of %s cannot be encoded: %v", key, err)
	}
	return kv.Set(ctx, key, encoded, opts...)
}

func kvRequest[Result any](ctx context.Context, kv *KV, method string, p ipc.KVParams) (Result, error) {
	p.Bucket = kv.bucket
	return request[Result](ctx, kv.host, ipc.ServiceKV, method, &p)
}

func (kv *KV) ask(ctx context.Context, method string, p ipc.KVParams) (ipc.Data, error) {
	p.Bucket = kv.bucket
	return kv.host.ask(ctx, ipc.ServiceKV, method, &p)
}
