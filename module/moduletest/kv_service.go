package moduletest

import (
	"context"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// keyValue serves the host service kv.
func (h *Harness) keyValue(_ context.Context, req *ipc.Envelope) (any, error) {
	if req.Method == ipc.MethodUnwatch {
		s, err := decode[ipc.Subscribed](req)
		if err != nil {
			return nil, err
		}
		return nil, h.outlets.end(s.Subscription)
	}
	p, err := decode[ipc.KVParams](req)
	if err != nil {
		return nil, err
	}
	switch req.Method {
	case ipc.MethodKeys, ipc.MethodWatch:
		if p.Pattern != "" {
			err = check(keyPattern, "pattern of keys", p.Pattern)
		}
	default:
		err = check(keyForm, "key", p.Key)
	}
	if err != nil {
		return nil, err
	}
	var result any
	h.kv.in(h, h.bucketName(p.Bucket), func(b *store) { result, err = h.inStore(b, req, p) })
	return result, err
}

// inStore serves the methods that need a bucket.
func (h *Harness) inStore(b *store, req *ipc.Envelope, p ipc.KVParams) (any, error) {
	switch req.Method {
	case ipc.MethodGet:
		e := b.get(p.Key)
		if e == nil {
			return nil, ipc.Refuse(ipc.CodeNotFound, "there is no key %s", p.Key)
		}
		return ipc.KVEntry{Payload: ipc.EncodePayload(e.value), Revision: e.revision, TimeMS: e.set.UnixMilli()}, nil
	case ipc.MethodSet:
		return h.set(b, p)
	case ipc.MethodAdd:
		value, revision, err := b.add(p.Key, p.Delta)
		return ipc.KVCounted{Value: value, Revision: revision}, err
	case ipc.MethodDelete:
		if err := b.expect(p.Key, p.Revision); err != nil {
			return nil, err
		}
		b.remove(p.Key)
		return nil, nil
	case ipc.MethodExists:
		return ipc.KVExists{Exists: b.get(p.Key) != nil}, nil
	case ipc.MethodKeys:
		keys := b.keys(p.Pattern)
		if len(keys) > maxKeys {
			return nil, ipc.Refuse(ipc.CodeTooLarge, "more than %d keys match; name a narrower pattern", maxKeys)
		}
		return ipc.KVKeys{Keys: keys}, nil
	case ipc.MethodWatch:
		return h.watch(b, p)
	}
	return nil, noMethod(req)
}

func (h *Harness) set(b *store, p ipc.KVParams) (any, error) {
	value, err := p.Payload.Decode()
	if err == nil {
		err = sizeError(value)
	}
	if err == nil && p.TTLMS < 0 {
		err = ipc.Refuse(ipc.CodeInvalidInput, "ttl_ms is %d; it cannot be negative", p.TTLMS)
	}
	if err == nil {
		err = b.expect(p.Key, p.Revision)
	}
	if err != nil {
		return nil, err
	}
	revision, _ := b.put(p.Key, value)
	if p.TTLMS > 0 {
		h.kv.expireIn(b, p.Key, time.Duration(p.TTLMS)*time.Millisecond)
	}
	return ipc.KVWritten{Revision: revision}, nil
}

// watch begins with the present values.
func (h *Harness) watch(b *store, p ipc.KVParams) (any, error) {
	bucket, pattern := h.bucketName(p.Bucket), p.Pattern
	if pattern == "" {
		pattern = ">"
	}
	o := &outlet{name: "kv:" + bucket + ":" + pattern, bucket: bucket, pattern: pattern, buffer: p.Buffer}
	fresh, err := h.outlets.open(h, o)
	if err != nil {
		return nil, err
	}
	if fresh {
		for _, key := range b.keys(pattern) {
			o.add(b.change(key))
		}
	}
	return ipc.Subscribed{Subscription: o.name}, nil
}
