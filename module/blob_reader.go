package module

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"

	"github.com/ixtrun/ixt/ipc"
)

// BlobReader reads a blob while it arrives. It is for one goroutine at a time.
type BlobReader struct {
	ctx      context.Context
	blobs    *Blobs
	info     BlobInfo
	download string // "": the host has nothing more to say
	waiting  []byte // arrived, not read
	arrived  int64
	sum      hash.Hash
	err      error // what Read returns when nothing is waiting; nil: there is more
}

var _ io.ReadCloser = (*BlobReader)(nil)

// Get opens a blob for reading; IsNotFound tells that there is none. It is one version, also when it is replaced meanwhile.
// ctx bounds the whole reading, until Close.
func (b *Blobs) Get(ctx context.Context, name string) (*BlobReader, error) {
	r := &BlobReader{ctx: ctx, blobs: b, sum: sha256.New()}
	chunk, err := r.fetch(ipc.BlobParams{Name: name})
	if err != nil {
		return nil, err
	}
	r.info = BlobInfo{Name: name, Size: chunk.Size, SHA256: chunk.SHA256}
	r.take(chunk)
	return r, nil
}

// Info tells about the blob; its Time is zero, which only Stat and List know.
func (r *BlobReader) Info() BlobInfo { return r.info }

// Read reads on. It returns io.EOF only when the whole has arrived and has the right checksum.
func (r *BlobReader) Read(b []byte) (int, error) {
	for len(r.waiting) == 0 && r.err == nil {
		chunk, err := r.fetch(ipc.BlobParams{Download: r.download})
		if err != nil {
			r.err = err
			break
		}
		r.take(chunk)
	}
	if len(r.waiting) == 0 {
		return 0, r.err
	}
	n := copy(b, r.waiting)
	r.waiting = r.waiting[n:]
	return n, nil
}

// Close ends the reading, and the transfer if it is not at its end. It never fails.
func (r *BlobReader) Close() error {
	if r.download != "" {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), closeTime)
		defer cancel()
		_, _ = blobRequest[ipc.BlobChunk](ctx, r.blobs, ipc.MethodGet, ipc.BlobParams{Download: r.download, Last: true})
	}
	r.download, r.waiting, r.err = "", nil, io.ErrClosedPipe
	return nil
}

func (r *BlobReader) fetch(p ipc.BlobParams) (ipc.BlobChunk, error) {
	return blobRequest[ipc.BlobChunk](r.ctx, r.blobs, ipc.MethodGet, p)
}

// take accepts a chunk and, with the last, judges the whole.
func (r *BlobReader) take(c ipc.BlobChunk) {
	payload, err := c.Payload.Decode()
	if err != nil {
		r.err = r.blobs.host.failed(ipc.CodeProtocolError, Done, "a chunk of %s cannot be decoded: %v", r.info.Name, err)
		return
	}
	r.sum.Write(payload)
	r.waiting, r.arrived, r.download = payload, r.arrived+int64(len(payload)), c.Download
	if !c.Last {
		return
	}
	r.download, r.err = "", io.EOF
	if got := hex.EncodeToString(r.sum.Sum(nil)); got != r.info.SHA256 || r.arrived != r.info.Size {
		r.err = r.blobs.host.failed(ipc.CodeProtocolError, Done, "%s arrived as %d bytes with the sha256 %s, and should have %d and %s",
			r.info.Name, r.arrived, got, r.info.Size, r.info.SHA256)
	}
}
