package moduletest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/module/moduletest"
)

// subscriber subscribes in Init.
type subscriber struct {
	module.Base
	host    *module.Host
	pattern string
	opts    []module.SubscribeOption
	handle  func(context.Context, *module.Event) error
}

func (s *subscriber) Init(ctx context.Context, in *module.Init) error {
	s.host = in.Host
	return s.host.Subscribe(ctx, s.pattern, s.handle, s.opts...)
}

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		want    []string
	}{
		{"a.b", []string{"a.b"}},
		{"a.*", []string{"a.b", "a.c"}},
		{"*.c", []string{"a.c", "b.c"}},
		{"a.>", []string{"a.b", "a.c", "a.b.c", "a.b.c.d"}},
		{"a.*.>", []string{"a.b.c", "a.b.c.d"}},
		{">", []string{"a", "a.b", "a.c", "b.c", "a.b.c", "a.b.c.d"}},
	} {
		t.Run(tt.pattern, func(t *testing.T) {
			var got []string
			h := moduletest.Start(t, &subscriber{pattern: tt.pattern, handle: func(_ context.Context, e *module.Event) error {
				got = append(got, e.Topic)
				return nil
			}}, moduletest.Options{})
			for _, topic := range []string{"a", "a.b", "a.c", "b.c", "a.b.c", "a.b.c.d"} {
				if err := h.Publish(t.Context(), topic, nil); err != nil {
					require.ErrorIs(t, err, &module.Error{Code: module.CodeNoProvider})
				}
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestWhatCannotBe(t *testing.T) {
	s := &subscriber{pattern: "ok", handle: func(context.Context, *module.Event) error { return nil }}
	h := moduletest.Start(t, s, moduletest.Options{})
	ctx := t.Context()
	_, badWait := h.AwaitEvent(ctx, "a b")
	_, badKey := s.host.KV().Get(ctx, "a.*")
	_, badKeys := s.host.KV().Keys(ctx, "a.>.b")
	_, badTTL := s.host.KV().Set(ctx, "a", nil, module.TTL(-time.Second))
	_, badBlob := s.host.Blob().Stat(ctx, "../a..b")
	for i, err := range []error{
		h.Publish(ctx, "a.*", nil), h.Publish(ctx, "", nil), badWait, badKey, badKeys, badTTL, badBlob,
		s.host.Subscribe(ctx, "a.", s.handle), s.host.Subscribe(ctx, ">.a", s.handle), s.host.Subscribe(ctx, "a", s.handle, module.Buffer(-1)),
	} {
		require.ErrorIs(t, err, &module.Error{Code: module.CodeInvalidInput}, i)
	}
	_, big := s.host.KV().Set(ctx, "a", make([]byte, 1<<20+1))
	require.ErrorIs(t, big, &module.Error{Code: module.CodeTooLarge})
}

func TestADurableSubscriptionTriesAgain(t *testing.T) {
	for _, tt := range []struct {
		fails int
		takes time.Duration
		ok    bool
	}{{0, 0, true}, {2, 3 * time.Second, true}, {4, 15 * time.Second, true}, {5, 15 * time.Second, false}} {
		t.Run(fmt.Sprint(tt.fails), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var attempts []int
				h := moduletest.Start(t, &subscriber{pattern: "a", opts: []module.SubscribeOption{module.Durable("d")},
					handle: func(_ context.Context, e *module.Event) error {
						attempts = append(attempts, e.Attempt)
						if e.Attempt <= tt.fails {
							return errors.New("not yet")
						}
						return nil
					}}, moduletest.Options{})
				began := time.Now()
				err := h.Publish(t.Context(), "a", nil)
				require.Equal(t, tt.ok, err == nil, err)
				require.Equal(t, tt.takes, time.Since(began))
				require.Equal(t, []int{1, 2, 3, 4, 5}[:min(tt.fails+1, 5)], attempts)
			})
		})
	}
}

func TestADurableEventThatIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := moduletest.Start(t, &subscriber{pattern: "a", opts: []module.SubscribeOption{module.Durable("d")},
			handle: func(ctx context.Context, e *module.Event) error {
				if e.Attempt == 1 {
					<-ctx.Done()
				}
				return ctx.Err()
			}}, moduletest.Options{})
		began := time.Now()
		require.NoError(t, h.Publish(t.Context(), "a", nil))
		require.Equal(t, 31*time.Second, time.Since(began))
	})
}

func TestASlowSubscriberLosesTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		gate := make(chan struct{})
		h := moduletest.Start(t, &subscriber{pattern: ">", opts: []module.SubscribeOption{module.Buffer(2)},
			handle: func(_ context.Context, e *module.Event) error {
				<-gate
				got = append(got, fmt.Sprintf("%s seq %d lost %d", e.Topic, e.Seq, e.Lost))
				return nil
			}}, moduletest.Options{})
		for i := range 5 {
			go func() { _ = h.Publish(t.Context(), fmt.Sprint("e", i), nil) }()
			synctest.Wait()
		}
		close(gate)
		synctest.Wait()
		require.Equal(t, []string{"e0 seq 1 lost 0", "e3 seq 2 lost 2", "e4 seq 3 lost 0"}, got)
	})
}

func TestAModuleHearsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &subscriber{pattern: "ping"}
		s.handle = func(ctx context.Context, e *module.Event) error { return s.host.Publish(ctx, "pong", e.Payload) }
		h := moduletest.Start(t, s, moduletest.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := h.AwaitEvent(ctx, "pong")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, s.host.Publish(t.Context(), "ping", []byte("1")))
		e, err := h.AwaitEvent(t.Context(), "pong")
		require.NoError(t, err)
		require.Equal(t, "1", string(e.Payload))
		require.Equal(t, "test:1.0.0/instance-001", e.Source)
		events := h.Events()
		require.Equal(t, []string{"ping", "pong"}, []string{events[0].Topic, events[1].Topic})
	})
}

func TestEventsEndWithTheModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := moduletest.Start(t, &subscriber{pattern: "a", handle: func(ctx context.Context, _ *module.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}}, moduletest.Options{})
		failed := make(chan error, 3)
		for range 2 {
			go func() { failed <- h.Publish(context.Background(), "a", nil) }()
		}
		go func() {
			_, err := h.AwaitEvent(context.Background(), ">")
			failed <- err
		}()
		synctest.Wait()
		require.NoError(t, h.Disconnect())
		for range 3 {
			require.Error(t, <-failed)
		}
		require.ErrorIs(t, h.Publish(t.Context(), "a", nil), &module.Error{Code: module.CodeUnavailable})
	})
}

func TestSend(t *testing.T) {
	s := &subject{}
	h := moduletest.Start(t, s, moduletest.Options{})
	got := make(chan string, 1)
	h.Provide("other", func(_ context.Context, msg *module.Message) (*module.Response, error) {
		got <- string(msg.Payload)
		return nil, errors.New("nobody hears this")
	})
	require.NoError(t, s.host.Send(module.WithTarget(t.Context(), "other:1.0.0"), "other", []byte("hi")))
	require.Equal(t, "hi", <-got)
	require.ErrorIs(t, s.host.Send(t.Context(), "nobody", nil), &module.Error{Code: module.CodeNoProvider})
}
