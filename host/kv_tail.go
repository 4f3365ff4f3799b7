package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// tail reads the messages of a stream in order: the last one of every subject, then what comes. It is one consumer, without the
// self-repair of jetstream's ordered one, whose end nobody can wait for: after an error, which a gap is, open another.
type tail struct {
	stream    *stream
	consumer  jetstream.Consumer
	messages  jetstream.MessagesContext
	delivered uint64
	pending   uint64 // messages that are there and were not read yet
}

var errGap = errors.New("messages got lost on the way")

// How a tail fetches.
const (
	tailBatch     = 64 // messages on their way, of 1 MiB at most
	tailHeartbeat = 2 * time.Second
	tailKept      = 30 * time.Second // by the server, when nobody reads
	cleanup       = 5 * time.Second  // how long tidying up may take that nobody waits for
)

// openTail begins after the message with the sequence after; 0: with the last message of every subject.
func openTail(ctx context.Context, st *stream, subject string, after uint64, headersOnly bool) (*tail, error) {
	config := jetstream.ConsumerConfig{
		FilterSubject: subject, HeadersOnly: headersOnly, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: tailKept,
	}
	if after > 0 {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, after+1
	}
	consumer, err := st.CreateConsumer(ctx, config)
	if err != nil {
		return nil, err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(tailBatch), jetstream.PullHeartbeat(tailHeartbeat), jetstream.PullExpiry(4*tailHeartbeat))
	if err != nil {
		return nil, err
	}
	return &tail{stream: st, consumer: consumer, messages: messages, pending: consumer.CachedInfo().NumPending}, nil
}

func (t *tail) next(ctx context.Context) (jetstream.Msg, *jetstream.MsgMetadata, error) {
	msg, err := t.messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	meta, err := msg.Metadata()
	if err != nil {
		return nil, nil, fmt.Errorf("a message without metadata: %w", err)
	}
	t.delivered++
	t.pending = meta.NumPending
	if meta.Sequence.Consumer != t.delivered {
		return nil, nil, errGap
	}
	return msg, meta, nil
}

func (t *tail) close(ctx context.Context) {
	t.messages.Stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	_ = t.stream.DeleteConsumer(ctx, t.consumer.CachedInfo().Name) // otherwise the server does so after tailKept
}

// scan calls each with the last message of every subject, until it returns an error.
func scan(ctx context.Context, st *stream, subject string, headersOnly bool, each func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	t, err := openTail(ctx, st, subject, 0, headersOnly)
	if err != nil {
		return err
	}
	defer t.close(ctx)
	// What changes meanwhile moves to the end, so that the end is where nothing is pending, not where it was at the beginning.
	for t.pending > 0 {
		msg, meta, err := t.next(ctx)
		if err != nil {
			return err
		}
		if err := each(msg, meta); err != nil {
			return err
		}
	}
	return nil
}
