package host

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/ipc"
)

const (
	maxListed = 10_000    // keys or blobs in one answer
	markerTTL = time.Hour // how long it is kept that there was a key: for watchers that cannot reach the engine meanwhile
	maxTTL    = math.MaxInt64 / int64(time.Millisecond)
)

// Headers of messages in a KV bucket that the client of NATS has no names for.
const (
	kvOperation = "KV-Operation"
	kvPurge     = "PURGE"
)

// bucket is a bucket of keys and values. The engine keeps one message per key: its value, or a marker that it was deleted.
type bucket struct {
	streams *streams
	name    string
}

func (b bucket) subject(key string) string { return kvSubject + b.name + "." + key }

// entry is what the engine keeps about a key.
type entry struct {
	value    []byte
	revision uint64 // 0: there is no such key
	sequence uint64 // of the message, which may be a marker; 0: none
	time     time.Time
}

// gone tells whether a message marks that its key was deleted, by whomever, or has expired.
func gone(h nats.Header) bool {
	return h.Get(kvOperation) != "" || h.Get(jetstream.MarkerReasonHeader) != ""
}

func (b bucket) last(ctx context.Context, key string) (e entry, err error) {
	err = b.streams.with(ctx, b.name, func(st *stream) error {
		e, err = lastOf(ctx, st, b.subject(key))
		return err
	})
	return e, err
}

func lastOf(ctx context.Context, st *stream, subject string) (entry, error) {
	m, err := st.GetLastMsgForSubject(ctx, subject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return entry{}, nil
	case err != nil:
		return entry{}, err
	case gone(m.Header):
		return entry{sequence: m.Sequence}, nil
	}
	return entry{m.Data, m.Sequence, m.Sequence, m.Time}, nil
}

func (b bucket) get(ctx context.Context, key string) (*ipc.KVEntry, error) {
	e, err := b.last(ctx, key)
	if err == nil && e.revision == 0 {
		err = ipc.Refuse(ipc.CodeNotFound, "the bucket %s has no key %s", b.name, key)
	}
	if err != nil {
		return nil, err
	}
	return &ipc.KVEntry{Payload: ipc.OwnPayload(e.value), Revision: e.revision, TimeMS: e.time.UnixMilli()}, nil
}

func (b bucket) set(ctx context.Context, p ipc.KVParams) (ipc.KVWritten, error) {
	value, err := decodeChunk(p.Payload, "a value", "keep it as a blob")
	if err != nil {
		return ipc.KVWritten{}, err
	}
	if p.TTLMS < 0 || p.TTLMS > maxTTL {
		return ipc.KVWritten{}, ipc.Refuse(ipc.CodeInvalidInput, "ttl_ms %d cannot be; write milliseconds, or leave it out for a key that stays", p.TTLMS)
	}
	m := nats.NewMsg(b.subject(p.Key))
	m.Data = value
	if p.TTLMS > 0 {
		m.Header.Set(jetstream.MsgTTLHeader, seconds(time.Duration(p.TTLMS)*time.Millisecond))
	}
	revision, err := b.write(ctx, m, p.Revision)
	return ipc.KVWritten{Revision: revision}, err
}

// seconds is a TTL as the engine reads it: whole seconds, here rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d-1)/time.Second)+1, 10) + "s"
}

// write stores m, given that its key's present revision is want (0: there is no such key; nil: whatever there is). The error is
// CONFLICT if it is another.
func (b bucket) write(ctx context.Context, m *nats.Msg, want *uint64) (revision uint64, err error) {
	err = b.streams.with(ctx, b.name, func(st *stream) error {
		if want == nil {
			revision, err = publish(ctx, st, m)
			return err
		}
		for sequence := *want; ; {
			m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(sequence, 10))
			if revision, err = publish(ctx, st, m); !wrongSequence(err) {
				return err
			}
			now, err := lastOf(ctx, st, m.Subject)
			if err != nil {
				return err
			}
			if now.revision != *want {
				return conflict(now.revision)
			}
			sequence = now.sequence // a marker where nothing was expected, which is as good
		}
	})
	if err == nil {
		err = b.streams.settle(ctx, b.name)
	}
	return revision, err
}

func publish(ctx context.Context, st *stream, m *nats.Msg) (uint64, error) {
	ack, err := st.js.PublishMsg(ctx, m)
	if err != nil {
		return 0, tooLarge(st.js.Conn(), err)
	}
	return ack.Sequence, nil
}

// wrongSequence tells whether the last message on a subject was another than the expected one. Replicated streams say it in their own way.
func wrongSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

func conflict(revision uint64) *ipc.Error {
	e := ipc.Refuse(ipc.CodeConflict, "the key's revision is %d now; get it and decide again", revision)
	if revision == 0 {
		e.Message = "there is no such key now; set it with revision 0 to create it"
	}
	e.Details, _ = json.Marshal(map[string]uint64{"revision": revision})
	return e
}

func (b bucket) add(ctx context.Context, key string, delta int64) (ipc.KVCounted, error) {
	for {
		e, err := b.last(ctx, key)
		if err != nil {
			return ipc.KVCounted{}, err
		}
		var value int64
		if e.revision > 0 {
			if value, err = strconv.ParseInt(string(e.value), 10, 64); err != nil {
				return ipc.KVCounted{}, ipc.Refuse(ipc.CodeInvalidInput, "the value of %s is no counter; add wants a whole number of 64 bits in decimal text", key)
			}
		}
		sum := value + delta
		if (sum > value) != (delta > 0) && delta != 0 {
			return ipc.KVCounted{}, ipc.Refuse(ipc.CodeInvalidInput, "%d and %d is more than a counter holds, 64 bits", value, delta)
		}
		m := nats.NewMsg(b.subject(key))
		m.Data = strconv.AppendInt(nil, sum, 10)
		revision, err := b.write(ctx, m, &e.revision)
		if !errors.Is(err, &ipc.Error{Code: ipc.CodeConflict}) {
			return ipc.KVCounted{Value: sum, Revision: revision}, err
		}
	}
}

// delete puts a marker in the place of the value, which goes by itself after markerTTL.
func (b bucket) delete(ctx context.Context, key string, want *uint64) error {
	e, err := b.last(ctx, key)
	switch {
	case err != nil:
		return err
	case want != nil && *want != e.revision:
		return conflict(e.revision)
	case e.revision == 0:
		return nil
	}
	m := nats.NewMsg(b.subject(key))
	m.Header.Set(kvOperation, kvPurge)
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	m.Header.Set(jetstream.MsgTTLHeader, seconds(markerTTL))
	_, err = b.write(ctx, m, want)
	return err
}

func (b bucket) keys(ctx context.Context, pattern string) (ipc.KVKeys, error) {
	var keys []string
	err := b.streams.with(ctx, b.name, func(st *stream) error {
		found := map[string]bool{}
		err := scan(ctx, st, b.subject(pattern), true, func(m jetstream.Msg, _ *jetstream.MsgMetadata) error {
			key := strings.TrimPrefix(m.Subject(), b.subject(""))
			if gone(m.Headers()) {
				delete(found, key)
				return nil
			}
			found[key] = true
			if len(found) > maxListed {
				return ipc.Refuse(ipc.CodeTooLarge, "more than %d keys match %s; name a narrower pattern", maxListed, pattern)
			}
			return nil
		})
		keys = make([]string, 0, len(found))
		for key := range found {
			keys = append(keys, key)
		}
		return err
	})
	slices.Sort(keys)
	return ipc.KVKeys{Keys: keys}, err
}

// decodeChunk returns a payload's bytes if they are not too many. what says what they are and what to do with more.
func decodeChunk(p ipc.Payload, what, instead string) ([]byte, error) {
	if p.Size() > ipc.MaxChunk {
		return nil, ipc.Refuse(ipc.CodeTooLarge, "%s has at most %d bytes; %s", what, ipc.MaxChunk, instead)
	}
	b, err := p.Decode()
	if err != nil {
		return nil, ipc.Refuse(ipc.CodeInvalidInput, "%s", ipc.AsError(err, ipc.CodeInvalidInput).Message)
	}
	return b, nil
}
