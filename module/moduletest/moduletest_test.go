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

// subject is a module under test.
type subject struct {
	module.Base
	host     *module.Host
	config   struct{ Mark string }
	asks     string // a topic that Init calls
	shutdown func(context.Context) error
}

func (s *subject) Init(ctx context.Context, in *module.Init) error {
	s.host = in.Host
	in.Handle("forever", func(ctx context.Context, _ *module.Message) (*module.Response, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	in.Handle("ask", func(ctx context.Context, msg *module.Message) (*module.Response, error) {
		return s.host.Call(ctx, string(msg.Payload), []byte("?"))
	})
	in.Handle("context", func(_ context.Context, msg *module.Message) (*module.Response, error) {
		return module.JSON(msg.Context)
	})
	module.HandleJSON(in, "mark", func(_ context.Context, text string) (string, error) { return text + s.config.Mark, nil })
	if err := in.Config.Decode(&s.config); err != nil {
		return err
	}
	if s.asks == "" {
		return nil
	}
	_, err := s.host.Call(ctx, s.asks, nil)
	return err
}

func (s *subject) Shutdown(ctx context.Context) error {
	if s.shutdown == nil {
		return nil
	}
	return s.shutdown(ctx)
}

func TestCalls(t *testing.T) {
	h := moduletest.Start(t, &subject{}, moduletest.Options{Config: map[string]any{"mark": "!"}})
	text, err := moduletest.CallJSON[string](h, "mark", "hello")
	require.NoError(t, err)
	require.Equal(t, "hello!", text)

	_, err = moduletest.CallJSON[int](h, "mark", "hello")
	require.ErrorContains(t, err, "does not fit")
	_, err = moduletest.CallJSON[int](h, "mark", make(chan int))
	require.ErrorContains(t, err, "cannot be encoded")
	_, err = moduletest.CallJSON[int](h, "unknown", nil)
	require.ErrorIs(t, err, &module.Error{Code: module.CodeUnknownTopic})
	require.Equal(t, module.Done, module.OutcomeOf(err))

	health, err := h.Health(t.Context())
	require.NoError(t, err)
	require.True(t, health.Healthy && health.Ready)
	require.NoError(t, h.Shutdown(t.Context()))
	_, err = h.Health(t.Context())
	require.ErrorIs(t, err, &module.Error{Code: module.CodeUnavailable})
}

func TestContextIsFilledIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := moduletest.Start(t, &subject{}, moduletest.Options{})
		for i := range 2 {
			c, err := moduletest.CallJSON[module.Context](h, "context", nil)
			require.NoError(t, err)
			require.Equal(t, module.Context{SourceModule: "host", Timestamp: time.Now().Unix(), CallID: fmt.Sprint(i + 1), Attempt: 1}, c)
		}
		own := module.Context{TraceID: "t", SourceModule: "a:1", Timestamp: 1, CallID: "c", Attempt: 2}
		answer, err := h.Send(t.Context(), &module.Message{Topic: "context", Context: own})
		require.NoError(t, err)
		var got module.Context
		require.NoError(t, answer.Decode(&got))
		require.Equal(t, own, got)
	})
}

func TestCtxEndsACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := moduletest.Start(t, &subject{}, moduletest.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, err := h.Call(ctx, "forever", nil)
		require.ErrorIs(t, err, &module.Error{Code: module.CodeTimeout})
		require.Equal(t, time.Minute, time.Since(began))

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = h.Call(ctx, "forever", nil)
		require.ErrorIs(t, err, &module.Error{Code: "CANCELLED"})
		require.Equal(t, module.Unknown, module.OutcomeOf(err))
	})
}

func TestProvide(t *testing.T) {
	h := moduletest.Start(t, &subject{asks: "early"}, moduletest.Options{Provide: map[string]module.HandlerFunc{
		"early": func(context.Context, *module.Message) (*module.Response, error) { return nil, nil },
	}})
	h.Provide("here", func(_ context.Context, msg *module.Message) (*module.Response, error) {
		return module.Payload(append(msg.Payload, '!')), nil
	})
	h.Provide("broken", func(context.Context, *module.Message) (*module.Response, error) { return nil, errors.New("no") })
	answer, err := h.Call(t.Context(), "ask", []byte("here"))
	require.NoError(t, err)
	payload, _ := answer.Payload()
	require.Equal(t, "?!", string(payload))
	_, err = h.Call(t.Context(), "ask", []byte("broken"))
	require.ErrorIs(t, err, &module.Error{Code: module.CodeHandlerError})
	_, err = h.Call(t.Context(), "ask", []byte("nowhere"))
	require.ErrorIs(t, err, &module.Error{Code: module.CodeNoProvider})
	require.ErrorContains(t, err, "Harness.Provide")
}

func TestAFailedStart(t *testing.T) {
	h, err := moduletest.TryStart(t, &subject{}, moduletest.Options{Config: map[string]any{"marc": "!"}})
	require.ErrorIs(t, err, &module.Error{Code: module.CodeConfigInvalid})
	require.ErrorContains(t, err, "config.marc: is not known; config has mark")
	require.Empty(t, h.Log())
}

func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := moduletest.Start(t, &subject{}, moduletest.Options{})
		failed := make(chan error, 1)
		go func() {
			_, err := h.Call(context.Background(), "forever", nil)
			failed <- err
		}()
		synctest.Wait()
		require.NoError(t, h.Disconnect())
		require.ErrorIs(t, <-failed, &module.Error{Code: "MODULE_GONE"})
	})
}

// recorder is a test that fails without failing this one.
type recorder struct {
	testing.TB
	cleanup []func()
	errors  []string
}

func (r *recorder) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestTheEndOfTheTestChecksTheEndOfTheModule(t *testing.T) {
	for _, tt := range []struct {
		name     string
		shutdown func(context.Context) error
		want     []string
	}{
		{"in order", nil, nil},
		{"with an error", func(context.Context) error { return errors.New("disk full") },
			[]string{"the module did not end in order: shutdown: disk full"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorder{TB: t}
			moduletest.Start(r, &subject{shutdown: tt.shutdown}, moduletest.Options{})
			for _, f := range r.cleanup {
				f()
			}
			require.Equal(t, tt.want, r.errors)
		})
	}
}
