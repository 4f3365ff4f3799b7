package host

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// Names of what kv keeps in the engine: the nats tool knows a bucket as ixt_kv_NAME.
const (
	kvBucketPrefix = "ixt_kv_"
	kvStreamPrefix = "KV_" + kvBucketPrefix
	kvSubject      = "$KV." + kvBucketPrefix
)

// kv is the service of that name: docs/host-services.md, "kv". A bucket is a JetStream KV bucket with one value per key.
type kv struct {
	streams *streams
	watches *watches
}

func newKV(e *engine) *kv {
	s := &streams{use: e.use, create: createKV, prefix: kvStreamPrefix, settle: e.settleKV}
	return &kv{streams: s, watches: newWatches(s, func(entry supervisor.Entry) { e.site.Note(entry) })}
}

func createKV(ctx context.Context, js jetstream.JetStream, bucket string) error {
	_, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: kvBucketPrefix + bucket, Description: "keys and values of ixt", History: 1, LimitMarkerTTL: markerTTL,
	})
	return err
}

func (*kv) Name() string { return ipc.ServiceKV }

func (k *kv) Call(ctx context.Context, caller supervisor.Caller, method string, params ipc.Data) (ipc.Data, error) {
	result, err := k.serve(ctx, caller, method, params)
	if err != nil {
		write := method == ipc.MethodSet || method == ipc.MethodAdd || method == ipc.MethodDelete
		return ipc.Data{}, explain(err, ipc.ServiceKV+"."+method, write)
	}
	return ipc.Pack(result)
}

// ready lets the watches of an instance go on in its new process, from the present values.
func (k *kv) ready(caller supervisor.Caller) { k.watches.resume(caller) }

// retired ends the watches of an instance.
func (k *kv) retired(id ipc.ModuleID) { k.watches.retire(id) }

// close ends all watches. It returns when they have ended.
func (k *kv) close() { k.watches.close() }

func (k *kv) serve(ctx context.Context, caller supervisor.Caller, method string, params ipc.Data) (any, error) {
	if method == ipc.MethodUnwatch {
		var p ipc.Subscribed
		if err := ipc.DecodeParams(ipc.ServiceKV, method, params, &p); err != nil {
			return nil, err
		}
		return struct{}{}, k.watches.unwatch(caller.ID, p.Subscription)
	}
	var p ipc.KVParams
	if err := ipc.DecodeParams(ipc.ServiceKV, method, params, &p); err != nil {
		return nil, err
	}
	name, err := bucketFor(caller, p.Bucket, "kv", caller.Module.Requires.KV)
	if err != nil {
		return nil, err
	}
	b := bucket{k.streams, name}
	switch method {
	case ipc.MethodKeys, ipc.MethodWatch:
		if p.Pattern == "" {
			p.Pattern = ">"
		}
		err = checkPattern("pattern", p.Pattern)
	case ipc.MethodGet, ipc.MethodSet, ipc.MethodAdd, ipc.MethodDelete, ipc.MethodExists:
		err = checkKey("key", p.Key)
	default:
		err = ipc.Refuse(ipc.CodeUnknownType, "%s has no method %q; it has get, set, add, delete, exists, keys, watch and unwatch", ipc.ServiceKV, method)
	}
	if err != nil {
		return nil, err
	}
	switch method {
	case ipc.MethodGet:
		return b.get(ctx, p.Key)
	case ipc.MethodSet:
		return b.set(ctx, p)
	case ipc.MethodAdd:
		return b.add(ctx, p.Key, p.Delta)
	case ipc.MethodDelete:
		return struct{}{}, b.delete(ctx, p.Key, p.Revision)
	case ipc.MethodExists:
		e, err := b.last(ctx, p.Key)
		return ipc.KVExists{Exists: e.revision > 0}, err
	case ipc.MethodKeys:
		return b.keys(ctx, p.Pattern)
	}
	return k.watches.begin(ctx, caller, name, p.Pattern, p.Buffer)
}
