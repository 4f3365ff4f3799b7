package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// download is one version of a blob on its way out. It is not safe for concurrent use.
type download struct {
	at      place
	version version
	info    ipc.BlobInfo
	sum     hash.Hash
	left    int64  // bytes
	next    uint64 // sequence from which on the next part is
	release func()
}

func (b *blob) get(ctx context.Context, caller supervisor.Caller, at place, name string) (any, error) {
	d, err := b.open(ctx, at, name)
	if err != nil {
		return nil, err
	}
	data, err := d.read(ctx)
	b.out.Add(uint64(len(data)))
	if err != nil || d.left == 0 {
		d.close()
		return d.chunk("", data), err
	}
	t, err := b.transfers.begin(caller, nil, d)
	if err != nil {
		d.close()
		return nil, err
	}
	defer b.transfers.yield(t)
	return d.chunk(t.id, data), nil
}

// more is a get that names a download.
func (b *blob) more(ctx context.Context, caller supervisor.Caller, id string) (any, error) {
	t, err := b.transfers.take(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	d := t.down
	if d == nil {
		b.transfers.yield(t)
		return nil, ipc.Refuse(ipc.CodeInvalidInput, "%s is an upload; name what get has answered", id)
	}
	data, err := d.read(ctx)
	b.out.Add(uint64(len(data)))
	if err != nil || d.left == 0 {
		b.transfers.end(ctx, caller, t)
		return d.chunk("", data), err
	}
	defer b.transfers.yield(t)
	return d.chunk(id, data), nil
}

func (d *download) chunk(id string, data []byte) *ipc.BlobChunk {
	return &ipc.BlobChunk{Download: id, Payload: ipc.OwnPayload(data), Last: d.left == 0, Size: d.info.Size, SHA256: d.info.SHA256}
}

// open holds the present version, so that its parts stay while it is read.
func (b *blob) open(ctx context.Context, at place, name string) (*download, error) {
	for {
		v, err := at.version(ctx, name)
		if err != nil {
			return nil, err
		}
		info, err := v.info()
		if err != nil {
			return nil, err
		}
		release := b.readers.hold(at, v.NUID)
		// If it is still the present one now, whoever replaces it will see that it is held.
		if now, err := at.version(ctx, name); err == nil && now.NUID == v.NUID {
			return &download{at: at, version: v, info: info, sum: sha256.New(), left: info.Size, release: release}, nil
		}
		release()
	}
}

func (d *download) close() { d.release() }

// read returns the next chunk: as many parts as make partSize.
func (d *download) read(ctx context.Context) ([]byte, error) {
	var data []byte
	for d.left > 0 && len(data) < partSize {
		m, err := d.part(ctx)
		if err != nil {
			return nil, err
		}
		d.next = m.Sequence + 1
		d.left -= int64(len(m.Data))
		d.sum.Write(m.Data)
		if data == nil {
			data = m.Data
		} else {
			data = append(data, m.Data...)
		}
	}
	if d.left > 0 {
		return data, nil
	}
	want, _ := jetstream.DecodeObjectDigest(d.version.Digest) // info has done so
	if got := d.sum.Sum(nil); !bytes.Equal(want, got) {
		return nil, fmt.Errorf("the blob %s is damaged: the sha256 of what is kept is %x, not %x; put it again", d.info.Name, got, want)
	}
	return data, nil
}

// How often a part is looked for that should be there: a replica may lag behind.
const (
	partAttempts = 10
	partWait     = 100 * time.Millisecond
)

func (d *download) part(ctx context.Context) (m *jetstream.RawStreamMsg, err error) {
	for range partAttempts {
		err = d.at.streams.with(ctx, d.at.bucket, func(st *stream) error {
			m, err = st.GetMsg(ctx, d.next, jetstream.WithGetMsgSubject(d.at.parts(d.version.NUID)))
			return err
		})
		if !errors.Is(err, jetstream.ErrMsgNotFound) {
			return m, err
		}
		now, err := d.at.version(ctx, d.info.Name)
		if errors.Is(err, &ipc.Error{Code: ipc.CodeNotFound}) || err == nil && now.NUID != d.version.NUID {
			return nil, ipc.Refuse(ipc.CodeConflict, "the blob %s was replaced or deleted from outside while it was read; get it again", d.info.Name)
		}
		if err != nil {
			return nil, err
		}
		timer := time.NewTimer(partWait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
	return nil, fmt.Errorf("the blob %s is damaged: a part of it is missing; put it again", d.info.Name)
}
