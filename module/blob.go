package module

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// closeTime bounds how long the host is told that a transfer ends before its time.
const closeTime = time.Second

// Blobs is a bucket of blobs, of any size, that the host keeps. It is safe for concurrent use. An instance has at most 16
// transfers open.
type Blobs struct {
	host   *Host
	bucket string // "": the module's own
}

// BlobInfo tells about a blob.
type BlobInfo struct {
	Name   string
	Size   int64     // bytes
	SHA256 string    // of the content, hex
	Time   time.Time // when it was stored
}

func blobInfo(i ipc.BlobInfo) *BlobInfo {
	return &BlobInfo{Name: i.Name, Size: i.Size, SHA256: i.SHA256, Time: time.UnixMilli(i.TimeMS)}
}

// Blob returns the module's own bucket, or that of the one name given, which the manifest's [requires] blobs has to name. It asks
// nothing of the host.
func (h *Host) Blob(bucket ...string) *Blobs {
	return &Blobs{host: h, bucket: strings.Join(bucket, " and ")} // two are one that no manifest allows
}

// Put stores what r has, until io.EOF, under name, in place of what was there. Nobody sees it before it is whole, and it is not
// kept if r fails: that error is returned as it is. Memory is bounded whatever the size.
func (b *Blobs) Put(ctx context.Context, name string, r io.Reader) (info *BlobInfo, err error) {
	sum, chunk, upload := sha256.New(), make([]byte, ipc.ChunkSize), ""
	defer func() {
		if err != nil && upload != "" {
			b.abandon(ctx, name, upload)
		}
	}()
	for {
		n, err := io.ReadFull(r, chunk)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return nil, err
		}
		sum.Write(chunk[:n])
		p := ipc.BlobParams{Name: name, Upload: upload, Payload: ipc.EncodePayload(chunk[:n]), Last: last}
		if last {
			p.SHA256 = hex.EncodeToString(sum.Sum(nil))
			stored, err := blobRequest[ipc.BlobInfo](ctx, b, ipc.MethodPut, p)
			if err != nil {
				return nil, err
			}
			return blobInfo(stored), nil
		}
		next, err := blobRequest[ipc.BlobUpload](ctx, b, ipc.MethodPut, p)
		if err != nil {
			return nil, err
		}
		upload = next.Upload
	}
}

// abandon frees the place of an upload: with a sum that it cannot have, the host keeps nothing of it. If that fails, the host
// forgets the upload by itself after a while.
func (b *Blobs) abandon(ctx context.Context, name, upload string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	p := ipc.BlobParams{Name: name, Upload: upload, Last: true, SHA256: strings.Repeat("0", 2*sha256.Size)}
	_, _ = blobRequest[ipc.BlobInfo](ctx, b, ipc.MethodPut, p)
}

// Stat tells about a blob; IsNotFound tells that there is none.
func (b *Blobs) Stat(ctx context.Context, name string) (*BlobInfo, error) {
	info, err := blobRequest[ipc.BlobInfo](ctx, b, ipc.MethodStat, ipc.BlobParams{Name: name})
	if err != nil {
		return nil, err
	}
	return blobInfo(info), nil
}

// List tells about every blob whose name begins with prefix, sorted by name.
func (b *Blobs) List(ctx context.Context, prefix string) ([]BlobInfo, error) {
	list, err := blobRequest[ipc.BlobList](ctx, b, ipc.MethodList, ipc.BlobParams{Prefix: prefix})
	if err != nil {
		return nil, err
	}
	all := make([]BlobInfo, len(list.Blobs))
	for i, info := range list.Blobs {
		all[i] = *blobInfo(info)
	}
	return all, nil
}

// Delete removes a blob; IsNotFound tells that there was none.
func (b *Blobs) Delete(ctx context.Context, name string) error {
	_, err := blobRequest[struct{}](ctx, b, ipc.MethodDelete, ipc.BlobParams{Name: name})
	return err
}

func blobRequest[Result any](ctx context.Context, b *Blobs, method string, p ipc.BlobParams) (Result, error) {
	p.Bucket = b.bucket
	return request[Result](ctx, b.host, ipc.ServiceBlob, method, &p)
}
