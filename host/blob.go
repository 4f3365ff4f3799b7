package host

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// Names of what blob keeps in the engine: the nats tool knows a bucket as ixt_blob_NAME.
const (
	blobBucketPrefix = "ixt_blob_"
	blobStreamPrefix = "OBJ_" + blobBucketPrefix
	blobSubject      = "$O." + blobBucketPrefix
)

// blob is the service of that name: docs/host-services.md, "blob". A bucket is a JetStream object store, and what others put there can be read
// here and the reverse. It is written and read by our own hand, though, because the client's Put makes a blob visible before its parts are
// acknowledged, and takes the parts of a replaced one from those who are reading it.
type blob struct {
	streams   *streams
	readers   *readers
	transfers *transfers
	sweeps    *sweeps
	in, out   atomic.Uint64 // bytes
}

func newBlob(e *engine) *blob {
	purge := func(at place, id string) { at.purge(context.Background(), id) }
	// Whatever an earlier process has left in a store that is this process's alone, nobody goes on with.
	before := time.Now()
	unfinished := func() time.Time { return before }
	if e.opts.URL != "" {
		unfinished = func() time.Time { return time.Now().Add(-2 * maxIdle) }
	}
	r := newReaders(purge)
	return &blob{
		streams: &streams{use: e.use, create: createBlob, prefix: blobStreamPrefix, settle: e.settleBlobs},
		readers: r, transfers: newTransfers(), sweeps: newSweeps(unfinished, r.drop),
	}
}

func createBlob(ctx context.Context, js jetstream.JetStream, bucket string) error {
	_, err := js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: blobBucketPrefix + bucket, Description: "blobs of ixt"})
	return err
}

func (*blob) Name() string { return ipc.ServiceBlob }

func (b *blob) Call(ctx context.Context, caller supervisor.Caller, method string, params ipc.Data) (ipc.Data, error) {
	result, err := b.serve(ctx, caller, method, params)
	if err != nil {
		return ipc.Data{}, explain(err, ipc.ServiceBlob+"."+method, method == ipc.MethodPut || method == ipc.MethodDelete)
	}
	return ipc.Pack(result)
}

// close ends all uploads and downloads. It returns when nothing is left of them.
func (b *blob) close() {
	b.transfers.close()
	b.sweeps.close()
}

func (b *blob) serve(ctx context.Context, caller supervisor.Caller, method string, params ipc.Data) (any, error) {
	var p ipc.BlobParams
	if err := ipc.DecodeParams(ipc.ServiceBlob, method, params, &p); err != nil {
		return nil, err
	}
	switch { // what was begun is known by its id alone
	case method == ipc.MethodPut && p.Upload != "":
		return b.proceed(ctx, caller, p)
	case method == ipc.MethodGet && p.Download != "":
		return b.more(ctx, caller, p.Download)
	}
	name, err := bucketFor(caller, p.Bucket, "blobs", caller.Module.Requires.Blobs)
	if err != nil {
		return nil, err
	}
	switch method {
	case ipc.MethodPut, ipc.MethodGet, ipc.MethodStat, ipc.MethodDelete:
		err = checkKey("name", p.Name)
	case ipc.MethodList:
	default:
		err = ipc.Refuse(ipc.CodeUnknownType, "%s has no method %q; it has put, get, stat, list and delete", ipc.ServiceBlob, method)
	}
	if err != nil {
		return nil, err
	}
	at := place{b.streams, name}
	switch method {
	case ipc.MethodPut:
		return b.put(ctx, caller, at, p)
	case ipc.MethodGet:
		return b.get(ctx, caller, at, p.Name)
	case ipc.MethodStat:
		v, err := at.version(ctx, p.Name)
		if err != nil {
			return nil, err
		}
		return v.info()
	case ipc.MethodDelete:
		return struct{}{}, b.delete(ctx, at, p.Name)
	}
	return b.list(ctx, at, p.Prefix)
}

// delete removes a blob, and its parts as soon as nobody reads them.
func (b *blob) delete(ctx context.Context, at place, name string) error {
	v, err := at.version(ctx, name)
	if err != nil {
		return err
	}
	err = b.streams.with(ctx, at.bucket, func(st *stream) error {
		// Only this version: one that came meanwhile stays.
		return st.Purge(ctx, jetstream.WithPurgeSubject(at.meta(name)), jetstream.WithPurgeSequence(v.sequence+1))
	})
	if err != nil {
		return err
	}
	b.readers.drop(at, v.NUID)
	return b.streams.settle(ctx, at.bucket)
}

func (b *blob) list(ctx context.Context, at place, prefix string) (ipc.BlobList, error) {
	var found map[string]ipc.BlobInfo
	err := b.streams.with(ctx, at.bucket, func(st *stream) error {
		found = map[string]ipc.BlobInfo{}
		return scan(ctx, st, at.allMeta(), false, func(m jetstream.Msg, meta *jetstream.MsgMetadata) error {
			v, err := readVersion(m.Data(), meta.Sequence.Stream, meta.Timestamp)
			if err != nil {
				return err
			}
			if !strings.HasPrefix(v.Name, prefix) {
				return nil
			}
			if v.Deleted {
				delete(found, v.Name)
				return nil
			}
			found[v.Name], err = v.info()
			if len(found) > maxListed {
				return ipc.Refuse(ipc.CodeTooLarge, "more than %d blobs begin with %q; name a longer prefix", maxListed, prefix)
			}
			return err
		})
	})
	if err != nil {
		return ipc.BlobList{}, err
	}
	all := make([]ipc.BlobInfo, 0, len(found))
	for _, info := range found {
		all = append(all, info)
	}
	slices.SortFunc(all, func(a, b ipc.BlobInfo) int { return strings.Compare(a.Name, b.Name) })
	return ipc.BlobList{Blobs: all}, nil
}
