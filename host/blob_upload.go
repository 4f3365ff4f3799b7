package host

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// partSize is how many bytes of a blob one message holds, and about what one answer of get does.
const partSize = 256 << 10

// upload is a blob on its way in. Each part is acknowledged before the next is sent, and nobody sees them before finish, which is why it has at most one
// part and one chunk in memory. It is not safe for concurrent use.
type upload struct {
	at      place
	name    string
	id      string // under which its parts are kept
	sum     hash.Hash
	rest    []byte // of what came, less than a part
	size    uint64
	count   uint32
	created time.Time // when the stream was that has the parts
	kept    bool      // the parts belong to a blob, or may
}

func newUpload(at place, name string) *upload {
	return &upload{at: at, name: name, id: nuid.Next(), sum: sha256.New()}
}

func (b *blob) put(ctx context.Context, caller supervisor.Caller, at place, p ipc.BlobParams) (any, error) {
	data, err := b.decodePart(p)
	if err != nil {
		return nil, err
	}
	b.sweeps.first(at)
	u := newUpload(at, p.Name)
	if p.Last {
		defer u.discard(ctx)
		return b.finish(ctx, u, data, p.SHA256)
	}
	t, err := b.transfers.begin(caller, u, nil)
	if err != nil {
		return nil, err
	}
	return b.feed(ctx, caller, t, data)
}

// proceed is a put that names an upload.
func (b *blob) proceed(ctx context.Context, caller supervisor.Caller, p ipc.BlobParams) (any, error) {
	data, err := b.decodePart(p)
	if err != nil {
		return nil, err
	}
	t, err := b.transfers.take(ctx, caller, p.Upload)
	switch {
	case err != nil:
		return nil, err
	case t.up == nil:
		b.transfers.yield(t)
		return nil, ipc.Refuse(ipc.CodeInvalidInput, "%s is a download; name what put has answered", p.Upload)
	case !p.Last:
		return b.feed(ctx, caller, t, data)
	}
	defer b.transfers.end(ctx, caller, t)
	return b.finish(ctx, t.up, data, p.SHA256)
}

func (b *blob) decodePart(p ipc.BlobParams) ([]byte, error) {
	data, err := decodeChunk(p.Payload, "a chunk", "send more than one, all but the last without last")
	b.in.Add(uint64(len(data)))
	return data, err
}

// feed adds a chunk that is not the last. If that fails the upload is over.
func (b *blob) feed(ctx context.Context, caller supervisor.Caller, t *transfer, data []byte) (any, error) {
	if err := t.up.write(ctx, data); err != nil {
		b.transfers.end(ctx, caller, t)
		return nil, err
	}
	b.transfers.yield(t)
	return ipc.BlobUpload{Upload: t.id}, nil
}

// finish adds the last chunk and makes the blob visible, in the place of the one before.
func (b *blob) finish(ctx context.Context, u *upload, data []byte, sum string) (any, error) {
	err := u.write(ctx, data)
	if err == nil && len(u.rest) > 0 {
		err = u.send(ctx, u.rest)
	}
	if err != nil {
		return nil, err
	}
	if got := u.sum.Sum(nil); sum != "" && !sameSum(sum, got) {
		return nil, ipc.Refuse(ipc.CodeInvalidInput, "the sha256 of the %d bytes that came is %x, not %.64s; nothing is kept, put them again", u.size, got, sum)
	}
	v, before, err := u.publish(ctx)
	if err != nil {
		return nil, err
	}
	if before.NUID != "" && !before.Deleted {
		b.readers.drop(u.at, before.NUID)
	}
	return v.info()
}

func (u *upload) write(ctx context.Context, data []byte) error {
	u.sum.Write(data)
	u.size += uint64(len(data))
	u.rest = append(u.rest, data...)
	for len(u.rest) >= partSize {
		if err := u.send(ctx, u.rest[:partSize]); err != nil {
			return err
		}
		u.rest = append(u.rest[:0], u.rest[partSize:]...)
	}
	return nil
}

// send stores one part. Whether the others are there is looked at in the end, because a server that is asked with each part keeps what it has
// written in memory to answer: as much as comes in 10 s.
func (u *upload) send(ctx context.Context, part []byte) error {
	m := nats.NewMsg(u.at.parts(u.id))
	m.Data = part
	err := u.at.streams.with(ctx, u.at.bucket, func(st *stream) (err error) {
		if u.count == 0 {
			u.created = st.CachedInfo().Created
		}
		_, err = publish(ctx, st, m)
		return err
	})
	u.count++
	return err
}

// whole checks that all parts are there.
func (u *upload) whole(ctx context.Context, st *stream) error {
	if u.count == 0 {
		return nil
	}
	parts := u.at.parts(u.id)
	info, err := st.Info(ctx, jetstream.WithSubjectFilter(parts))
	if err != nil || info.Created.Equal(u.created) && info.State.Subjects[parts] == uint64(u.count) {
		return err
	}
	return ipc.Refuse(ipc.CodeConflict, "parts of the upload of %s have gone with the bucket %s, which somebody has deleted; put it again", u.name, u.at.bucket)
}

// publish makes the blob visible and returns it, with the version it takes the place of.
func (u *upload) publish(ctx context.Context) (v, before version, err error) {
	v.ObjectInfo = jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: u.name, Opts: &jetstream.ObjectMetaOptions{ChunkSize: partSize}},
		Bucket:     blobBucketPrefix + u.at.bucket, NUID: u.id, Size: u.size, Chunks: u.count, Digest: digest(u.sum.Sum(nil)),
	}
	err = u.at.streams.with(ctx, u.at.bucket, func(st *stream) error {
		if err := u.whole(ctx, st); err != nil {
			return err
		}
		for {
			if before, err = u.at.last(ctx, st, u.name); err != nil {
				return err
			}
			if err = u.at.streams.settle(ctx, u.at.bucket); err != nil { // the parts are there before anybody sees the blob, also after a power cut
				return err
			}
			v.sequence, err = u.at.publish(ctx, st, v, before.sequence)
			var refused *jetstream.APIError
			u.kept = err == nil || !noStream(err) && !errors.As(err, &refused) // or nobody knows
			if wrongSequence(err) {
				continue // another version came first
			}
			if err == nil {
				err = u.at.streams.settle(ctx, u.at.bucket)
			}
			if err != nil {
				return err
			}
			v.ModTime = time.Now()
			if m, err := st.GetMsg(ctx, v.sequence); err == nil { // it is not replaced yet
				v.ModTime = m.Time
			}
			return nil
		}
	})
	return v, before, err
}

// discard removes the parts unless they belong to a blob.
func (u *upload) discard(ctx context.Context) {
	if !u.kept {
		u.at.purge(ctx, u.id)
	}
}
