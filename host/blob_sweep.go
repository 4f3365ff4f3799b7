package host

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// sweeps look once per bucket for parts that belong to no blob: those of uploads that a crash has ended. Methods are safe for concurrent use.
type sweeps struct {
	before  func() time.Time // parts from then on may be of an upload that goes on
	drop    func(place, string)
	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	done map[string]bool // by bucket
}

func newSweeps(before func() time.Time, drop func(place, string)) *sweeps {
	ctx, cancel := context.WithCancel(context.Background())
	return &sweeps{before: before, drop: drop, ctx: ctx, cancel: cancel, done: map[string]bool{}}
}

// first begins a sweep if this is the first time that the bucket is put to.
func (s *sweeps) first(at place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done[at.bucket] || s.ctx.Err() != nil {
		return
	}
	s.done[at.bucket] = true
	s.running.Go(func() {
		if s.sweep(at) != nil {
			s.mu.Lock()
			delete(s.done, at.bucket) // then the next time
			s.mu.Unlock()
		}
	})
}

func (s *sweeps) close() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.running.Wait()
}

// sweep removes the parts of versions that no blob has and to which nothing was added lately.
func (s *sweeps) sweep(at place) error {
	ctx, before := s.ctx, s.before()
	return at.streams.with(ctx, at.bucket, func(st *stream) error {
		info, err := st.Info(ctx, jetstream.WithSubjectFilter(at.parts("*")))
		if err != nil || len(info.State.Subjects) == 0 {
			return err
		}
		orphans := info.State.Subjects
		// What becomes a blob from here on is newer than before.
		err = scan(ctx, st, at.allMeta(), false, func(m jetstream.Msg, meta *jetstream.MsgMetadata) error {
			v, err := readVersion(m.Data(), meta.Sequence.Stream, meta.Timestamp)
			delete(orphans, at.parts(v.NUID))
			return err
		})
		if err != nil {
			return err
		}
		for subject := range orphans {
			m, err := st.GetLastMsgForSubject(ctx, subject)
			if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && !m.Time.Before(before) {
				continue
			}
			if err != nil {
				return err
			}
			s.drop(at, strings.TrimPrefix(subject, at.parts("")))
		}
		return nil
	})
}
