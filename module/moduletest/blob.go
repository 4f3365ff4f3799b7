package moduletest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

const (
	maxTransfers = 16              // open at once
	transferIdle = 5 * time.Minute // after which a transfer is forgotten
)

// blobs are the stored blobs of all buckets, and the transfers that are open.
type blobs struct {
	mu        sync.Mutex
	stored    map[blobKey]storedBlob
	transfers map[string]*transfer
	last      int // number of the newest transfer
}

type blobKey struct{ bucket, name string }

type storedBlob struct {
	content []byte // never changed
	info    ipc.BlobInfo
}

// transfer is an upload or a download.
type transfer struct {
	key     blobKey
	upload  bool
	blob    storedBlob // of a download
	content []byte     // of an upload, so far; of a download, what is left
	touched time.Time
}

// blob serves the host service of that name.
func (h *Harness) blob(_ context.Context, req *ipc.Envelope) (any, error) {
	p, err := decode[ipc.BlobParams](req)
	if err != nil {
		return nil, err
	}
	key := blobKey{h.bucketName(p.Bucket), p.Name}
	if req.Method != ipc.MethodList && p.Download == "" {
		if err := check(keyForm, "name of a blob", p.Name); err != nil {
			return nil, err
		}
	}
	s := &h.blobs
	s.mu.Lock()
	defer s.mu.Unlock()
	switch req.Method {
	case ipc.MethodPut:
		return s.put(key, p)
	case ipc.MethodGet:
		return s.get(key, p)
	case ipc.MethodStat:
		b, err := s.find(key)
		return b.info, err
	case ipc.MethodList:
		return ipc.BlobList{Blobs: s.list(key.bucket, p.Prefix)}, nil
	case ipc.MethodDelete:
		_, err := s.find(key)
		delete(s.stored, key)
		return nil, err
	}
	return nil, noMethod(req)
}

func (s *blobs) find(key blobKey) (storedBlob, error) {
	b, ok := s.stored[key]
	if !ok {
		return b, ipc.Refuse(ipc.CodeNotFound, "there is no blob %s", key.name)
	}
	return b, nil
}

func (s *blobs) list(bucket, prefix string) []ipc.BlobInfo {
	all := []ipc.BlobInfo{}
	for key, b := range s.stored {
		if key.bucket == bucket && strings.HasPrefix(key.name, prefix) {
			all = append(all, b.info)
		}
	}
	slices.SortFunc(all, func(a, b ipc.BlobInfo) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (s *blobs) store(key blobKey, content []byte) ipc.BlobInfo {
	info := ipc.BlobInfo{Name: key.name, Size: int64(len(content)), SHA256: sumOf(content), TimeMS: time.Now().UnixMilli()}
	if s.stored == nil {
		s.stored = make(map[blobKey]storedBlob)
	}
	s.stored[key] = storedBlob{content, info}
	return info
}

// put takes one chunk of an upload.
func (s *blobs) put(key blobKey, p ipc.BlobParams) (any, error) {
	chunk, err := p.Payload.Decode()
	if err == nil {
		err = sizeError(chunk)
	}
	if err != nil {
		return nil, err
	}
	id, t := p.Upload, &transfer{key: key, upload: true}
	if id != "" {
		t, err = s.transfer(id, true)
	} else if !p.Last {
		id, err = s.begin(t)
	}
	if err != nil {
		return nil, err
	}
	t.content = append(t.content, chunk...)
	if !p.Last {
		return ipc.BlobUpload{Upload: id}, nil
	}
	delete(s.transfers, id)
	if sum := sumOf(t.content); p.SHA256 != "" && p.SHA256 != sum {
		return nil, ipc.Refuse(ipc.CodeInvalidInput, "%s arrived with the sha256 %s, not %s", t.key.name, sum, p.SHA256)
	}
	return s.store(t.key, t.content), nil
}

// get gives one chunk of a download. Who names the last chunk wants no more.
func (s *blobs) get(key blobKey, p ipc.BlobParams) (any, error) {
	id, t := p.Download, (*transfer)(nil)
	var err error
	if id != "" {
		t, err = s.transfer(id, false)
	} else {
		var b storedBlob
		b, err = s.find(key)
		t = &transfer{key: key, blob: b, content: b.content}
	}
	if err != nil {
		return nil, err
	}
	if p.Last {
		t.content = nil
	}
	n := min(len(t.content), ipc.ChunkSize)
	c := ipc.BlobChunk{Last: n == len(t.content), Size: t.blob.info.Size, SHA256: t.blob.info.SHA256}
	if !c.Last && id == "" {
		if id, err = s.begin(t); err != nil {
			return nil, err
		}
	}
	c.Payload, t.content = ipc.EncodePayload(t.content[:n]), t.content[n:]
	if c.Last {
		delete(s.transfers, id)
		return c, nil
	}
	c.Download = id
	return c, nil
}

// begin gives a transfer a place.
func (s *blobs) begin(t *transfer) (id string, err error) {
	s.forgetIdle()
	if len(s.transfers) >= maxTransfers {
		return "", ipc.Refuse(ipc.CodeBusy, "%d uploads and downloads are open, which is the limit", len(s.transfers))
	}
	if s.transfers == nil {
		s.transfers = make(map[string]*transfer)
	}
	s.last++
	id, t.touched = strconv.Itoa(s.last), time.Now()
	s.transfers[id] = t
	return id, nil
}

func (s *blobs) transfer(id string, upload bool) (*transfer, error) {
	s.forgetIdle()
	t := s.transfers[id]
	if t == nil || t.upload != upload {
		return nil, ipc.Refuse(ipc.CodeNotFound, "there is no open transfer %q", id)
	}
	t.touched = time.Now()
	return t, nil
}

func (s *blobs) forgetIdle() {
	for id, t := range s.transfers {
		if time.Since(t.touched) >= transferIdle {
			delete(s.transfers, id)
		}
	}
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Blobs is a bucket of the harness as other modules have it. It is safe for concurrent use.
type Blobs struct {
	s      *blobs
	bucket string
}

// Blobs returns the module's own bucket, or that of the one name given; no manifest has to allow it.
func (h *Harness) Blobs(bucket ...string) *Blobs {
	return &Blobs{&h.blobs, h.bucketName(strings.Join(bucket, " and "))}
}

// Put stores content under name.
func (b *Blobs) Put(name string, content []byte) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.s.store(blobKey{b.bucket, name}, bytes.Clone(content))
}

// Get returns the content of a blob, and false if there is none.
func (b *Blobs) Get(name string) (content []byte, ok bool) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	stored, ok := b.s.stored[blobKey{b.bucket, name}]
	return bytes.Clone(stored.content), ok
}

// Names returns the names of all blobs, sorted.
func (b *Blobs) Names() []string {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	names := []string{}
	for _, info := range b.s.list(b.bucket, "") {
		names = append(names, info.Name)
	}
	return names
}
