package host

import (
	"context"
	"errors"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// streams holds the handles of streams that were opened, which cost a round trip each. A handle is good until its stream is
// deleted, maybe from outside, or the connection is another one. Methods are safe for concurrent use.
type streams struct {
	use    func(context.Context) (*nats.Conn, jetstream.JetStream, error) // engine.use
	create func(ctx context.Context, js jetstream.JetStream, bucket string) error
	prefix string                                         // of a bucket's stream
	settle func(ctx context.Context, bucket string) error // returns when what was acknowledged is on the disk, if it has to be

	mu   sync.Mutex
	js   jetstream.JetStream // by which open were opened
	open map[string]*stream  // by bucket
}

// stream is a bucket's stream, on one connection.
type stream struct {
	jetstream.Stream
	js jetstream.JetStream
}

// with calls f with a bucket's stream, which is created if there is none; and once more if it turns out that it was deleted. So f must
// have done nothing if it fails because there is no stream.
func (s *streams) with(ctx context.Context, bucket string, f func(*stream) error) error {
	_, js, err := s.use(ctx)
	if err != nil {
		return err
	}
	for again := true; ; again = false {
		st, err := s.get(ctx, js, bucket)
		if err != nil {
			return err
		}
		if err = f(st); !again || !noStream(err) {
			return err
		}
		s.forget(bucket, st)
	}
}

// noStream tells whether err says that nothing was done for want of a stream.
func noStream(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders)
}

func (s *streams) get(ctx context.Context, js jetstream.JetStream, bucket string) (*stream, error) {
	if st := s.known(js, bucket); st != nil {
		return st, nil
	}
	handle, err := js.Stream(ctx, s.prefix+bucket)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		// Two may create it at once: the second finds what the first made.
		if err = s.create(ctx, js, bucket); err == nil || errors.Is(err, jetstream.ErrBucketExists) {
			handle, err = js.Stream(ctx, s.prefix+bucket)
		}
	}
	if err != nil {
		return nil, err
	}
	st := &stream{handle, js}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.js == js {
		s.open[bucket] = st
	}
	return st, nil
}

func (s *streams) known(js jetstream.JetStream, bucket string) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.js != js {
		s.js, s.open = js, map[string]*stream{}
	}
	return s.open[bucket]
}

func (s *streams) forget(bucket string, st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[bucket] == st {
		delete(s.open, bucket)
	}
}
