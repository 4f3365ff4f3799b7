package module_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/module/moduletest"
)

func TestPanics(t *testing.T) {
	boom := true
	h := moduletest.Start(t, &fake{
		handle: func(_ context.Context, msg *module.Message) (*module.Response, error) {
			none := func() map[string]int { return nil }()
			none["x"] = 1
			return nil, nil
		},
		health: func(context.Context) module.Health {
			if boom {
				panic("sensor lost")
			}
			return module.Health{Healthy: true, Extra: map[string]any{"n": 1}}
		},
	}, moduletest.Options{})
	_, err := h.Send(t.Context(), &module.Message{Topic: "t", Context: module.Context{TraceID: "abc"}})
	require.ErrorIs(t, err, &module.Error{Code: ipc.CodeHandlerPanic})
	require.ErrorContains(t, err, "t panicked: assignment to entry in nil map")
	log := h.Log()
	require.Len(t, log, 1)
	require.Equal(t, "error", log[0]["level"])
	require.Equal(t, "abc", log[0]["trace_id"])
	require.Equal(t, "test:1.0.0/instance-001", log[0]["module"])
	require.Contains(t, log[0]["stack"], "TestPanics")
	_, err = time.Parse(time.RFC3339Nano, log[0]["time"].(string))
	require.NoError(t, err)

	health, err := h.Health(t.Context())
	require.NoError(t, err)
	require.Equal(t, module.Health{Ready: true, Reason: "Health panicked: sensor lost", Extra: map[string]any{}}, health)
	boom = false
	health, err = h.Health(t.Context())
	require.NoError(t, err)
	require.Equal(t, module.Health{Healthy: true, Extra: map[string]any{"n": 1.0}}, health)
}

func TestHealthWithoutJSON(t *testing.T) {
	h := moduletest.Start(t, &fake{health: func(context.Context) module.Health {
		return module.Health{Healthy: true, Extra: map[string]any{"c": make(chan int)}}
	}}, moduletest.Options{})
	health, err := h.Health(t.Context())
	require.NoError(t, err)
	require.False(t, health.Healthy)
	require.Contains(t, health.Reason, "chan int")
}

func TestInitFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		init func(context.Context, *module.Init) error
		code string
		text string
	}{
		{"error", func(context.Context, *module.Init) error { return errors.New("no device") }, "INIT_FAILED", "no device"},
		{"own code", func(context.Context, *module.Init) error { return module.Errorf("NO_DEVICE", "gone") }, "NO_DEVICE", "gone"},
		{"panic", func(context.Context, *module.Init) error { panic("boom") }, "INIT_FAILED", "Init panicked: boom"},
		{"another module's error", func(ctx context.Context, in *module.Init) error {
			_, err := in.Host.Call(ctx, "other", nil)
			return err
		}, "INIT_FAILED", "not you"},
		{"registration", func(_ context.Context, in *module.Init) error {
			in.Handle("a", block(nil))
			in.Handle("a", block(nil))
			in.Handle("", block(nil))
			module.HandleJSON[int, int](in, "b", nil)
			return nil
		}, "INIT_FAILED", `topic "a" has two handlers; a handler has an empty topic; the handler of topic "b" is nil`},
		{"no concurrency", func(_ context.Context, in *module.Init) error {
			in.MaxConcurrency = 0
			return nil
		}, "INIT_FAILED", "MaxConcurrency"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := moduletest.TryStart(t, &fake{init: tt.init}, moduletest.Options{Provide: map[string]module.HandlerFunc{
				"other": func(context.Context, *module.Message) (*module.Response, error) {
					return nil, module.Errorf(module.CodeConfigInvalid, "not you")
				},
			}})
			require.ErrorIs(t, err, &module.Error{Code: tt.code})
			require.ErrorContains(t, err, tt.text)
			if tt.name == "panic" {
				require.Contains(t, h.Log()[0]["stack"], "TestInitFails")
			}
		})
	}
}

func TestRegistrationAfterInitIsLogged(t *testing.T) {
	var in *module.Init
	h := moduletest.Start(t, &fake{init: func(_ context.Context, i *module.Init) error { in = i; return nil }}, moduletest.Options{})
	in.Handle("late", block(nil))
	require.Equal(t, "late", h.Log()[0]["topic"])
	_, err := h.Call(t.Context(), "late", nil)
	require.ErrorIs(t, err, &module.Error{Code: module.CodeUnknownTopic})
}

func TestWhatCtxCarries(t *testing.T) {
	h := moduletest.Start(t, &fake{
		init: func(ctx context.Context, in *module.Init) error {
			in.Log = in.Log.With().Str("line", "L7").Logger()
			require.Nil(t, module.MessageFrom(ctx))
			require.Empty(t, module.TraceID(ctx))
			module.Log(ctx).Info().Msg("init")
			return nil
		},
		handle: func(ctx context.Context, msg *module.Message) (*module.Response, error) {
			module.Log(ctx).Warn().Int("n", 1).Msg("handle")
			if module.MessageFrom(ctx) != msg {
				return nil, errors.New("not my message")
			}
			return module.Success(map[string]any{"trace": module.TraceID(ctx), "high": msg.Priority == module.High, "from": msg.Context.SourceModule})
		},
	}, moduletest.Options{})
	answer, err := h.Send(t.Context(), &module.Message{Topic: "t", Priority: module.High, Context: module.Context{TraceID: "abc"}})
	require.NoError(t, err)
	require.JSONEq(t, `{"trace":"abc","high":true,"from":"host"}`, string(answer.Data().JSON()))
	lines := h.Log()
	for _, line := range lines {
		delete(line, "time")
	}
	text, err := json.Marshal(lines)
	require.NoError(t, err)
	require.JSONEq(t, `[
		{"level":"info","module":"test:1.0.0/instance-001","message":"init"},
		{"level":"warn","module":"test:1.0.0/instance-001","line":"L7","trace_id":"abc","n":1,"message":"handle"}]`, string(text))
	module.Log(context.Background()).Info().Msg("nobody hears this")
}
