package host

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/ipc"
)

// place is a bucket of blobs. The engine keeps one message per blob that describes it, and its parts under a subject that each version has for itself.
type place struct {
	streams *streams
	bucket  string
}

func (at place) allMeta() string { return blobSubject + at.bucket + ".M.>" }

func (at place) meta(name string) string {
	return blobSubject + at.bucket + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}

func (at place) parts(id string) string { return blobSubject + at.bucket + ".C." + id }

// version is what the engine keeps about a blob, and under which sequence.
type version struct {
	jetstream.ObjectInfo
	sequence uint64
}

func readVersion(data []byte, sequence uint64, stored time.Time) (version, error) {
	v := version{sequence: sequence}
	if err := json.Unmarshal(data, &v.ObjectInfo); err != nil {
		return v, fmt.Errorf("what is kept about a blob cannot be read: %w", err)
	}
	v.ModTime = stored
	return v, nil
}

// last returns the present version of a blob; one that is zero or Deleted says that there is none.
func (at place) last(ctx context.Context, st *stream, name string) (version, error) {
	m, err := st.GetLastMsgForSubject(ctx, at.meta(name))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return version{}, nil
	}
	if err != nil {
		return version{}, err
	}
	return readVersion(m.Data, m.Sequence, m.Time)
}

// version is last for those who need one: NOT_FOUND if there is none.
func (at place) version(ctx context.Context, name string) (v version, err error) {
	err = at.streams.with(ctx, at.bucket, func(st *stream) error {
		v, err = at.last(ctx, st, name)
		return err
	})
	if err == nil && (v.NUID == "" || v.Deleted) {
		err = ipc.Refuse(ipc.CodeNotFound, "the bucket %s has no blob %s", at.bucket, name)
	}
	return v, err
}

// publish stores v as the present version of its blob if the one before is still there, under the sequence of that.
func (at place) publish(ctx context.Context, st *stream, v version, before uint64) (sequence uint64, err error) {
	m := nats.NewMsg(at.meta(v.Name))
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, fmt.Sprint(before))
	if m.Data, err = json.Marshal(v.ObjectInfo); err != nil {
		return 0, err
	}
	return publish(ctx, st, m)
}

// purge removes the parts of a version that nobody needs any more. If that fails they lie there until a sweep finds them.
func (at place) purge(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	_ = at.streams.with(ctx, at.bucket, func(st *stream) error {
		return st.Purge(ctx, jetstream.WithPurgeSubject(at.parts(id)))
	})
}

// digest is the form in which the engine keeps a sum.
func digest(sum []byte) string { return "SHA-256=" + base64.URLEncoding.EncodeToString(sum) }

func (v version) info() (ipc.BlobInfo, error) {
	sum, err := jetstream.DecodeObjectDigest(v.Digest)
	if err != nil {
		return ipc.BlobInfo{}, fmt.Errorf("the blob %s has no sha256 that can be read: %w", v.Name, err)
	}
	return ipc.BlobInfo{Name: v.Name, Size: int64(v.Size), SHA256: hex.EncodeToString(sum), TimeMS: v.ModTime.UnixMilli()}, nil
}

// sameSum tells whether hex text, in either case, is a sum.
func sameSum(text string, sum []byte) bool { return strings.EqualFold(text, hex.EncodeToString(sum)) }
