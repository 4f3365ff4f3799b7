package module_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/module/moduletest"
)

// diary notes what happens to a module, in order.
type diary struct {
	*fake
	notes chan string
}

// newDiary is a module whose topic "slow" takes as long as said once its ctx has ended, or without waiting for that
// if it is patient.
func newDiary(takes time.Duration, patient bool) diary {
	d := diary{notes: make(chan string, 16)}
	d.fake = &fake{
		handle: func(ctx context.Context, msg *module.Message) (*module.Response, error) {
			d.notes <- msg.Topic
			if !patient {
				<-ctx.Done()
				d.notes <- "ctx ended"
			}
			<-time.After(takes)
			d.notes <- "handled"
			return module.Payload(nil), nil
		},
		shutdown: func(ctx context.Context) error {
			d.notes <- "shutdown"
			return ctx.Err()
		},
	}
	return d
}

func (d diary) all() (notes []string) {
	for {
		select {
		case n := <-d.notes:
			notes = append(notes, n)
		default:
			return notes
		}
	}
}

func TestShutdown(t *testing.T) {
	for _, tt := range []struct {
		name    string
		takes   time.Duration
		patient bool
		notes   []string
		after   time.Duration
		err     string
	}{
		{"an open call is finished", 2 * time.Second, true, []string{"handled", "shutdown"}, 2 * time.Second, ""},
		{"a call that waits is cancelled at half time", 0, false, []string{"ctx ended", "handled", "shutdown"}, 5 * time.Second, ""},
		{"and has a quarter to return", 2400 * time.Millisecond, false, []string{"ctx ended", "handled", "shutdown"}, 7400 * time.Millisecond, ""},
		{"a call that does not return is left behind", time.Hour, false, []string{"ctx ended", "shutdown"}, 7500 * time.Millisecond, "still running when the time to stop was over: slow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDiary(tt.takes, tt.patient)
				w := serve(t, d, nil)
				w.init()
				w.send(`{"type":"handle","id":2,"message":{"topic":"slow"}}`)
				require.Equal(t, "slow", <-d.notes)
				began := time.Now()
				w.send(`{"type":"shutdown","id":3,"grace_ms":10000}`)
				synctest.Wait()
				if tt.patient {
					w.send(`{"type":"handle","id":4,"message":{"topic":"slow"}}`)
					w.expectError(4, "UNAVAILABLE", "being stopped")
					w.send(`{"type":"shutdown","id":5}`)
					w.expect(`{"type":"response","id":5,"status":"success"}`)
				}
				if tt.err == "" {
					w.expect(`{"type":"response","id":2,"status":"success","data":{"payload":""}}`)
				}
				w.expect(`{"type":"response","id":3,"status":"success"}`)
				require.Equal(t, tt.after, time.Since(began))
				require.Equal(t, tt.notes, d.all())
				err := w.end()
				if tt.err == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, tt.err)
					require.Less(t, time.Since(began), 10*time.Second)
				}
			})
		})
	}
}

func TestShutdownIsAnsweredLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 50
		running := make(chan string, calls)
		w := serve(t, &fake{handle: block(running)}, nil)
		w.init()
		for id := range calls {
			w.send(`{"type":"handle","id":%d,"message":{"topic":"t"}}`, id+2)
			<-running
		}
		w.send(`{"type":"shutdown","id":1000,"grace_ms":1000}`)
		for range calls {
			require.Contains(t, w.receive(), "CANCELLED")
		}
		w.expect(`{"type":"response","id":1000,"status":"success"}`)
		require.NoError(t, w.end())
	})
}

func TestTheHostHangsUp(t *testing.T) {
	for _, tt := range []struct {
		name  string
		takes time.Duration
		notes []string
		after time.Duration
		err   string
	}{
		{"handlers return", time.Second, []string{"ctx ended", "handled", "shutdown"}, time.Second, ""},
		{"a handler does not", time.Hour, []string{"ctx ended", "shutdown"}, 3 * time.Second, "still running when the time to stop was over: slow"},
	} {
		for how, hangUp := range map[string]func(*wire, context.CancelFunc){
			"EOF": func(w *wire, _ context.CancelFunc) { _ = w.rw.Close() },
			"ctx": func(_ *wire, cancel context.CancelFunc) { cancel() },
		} {
			t.Run(tt.name+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newDiary(tt.takes, false)
					host, end := ipc.Pipe()
					w := &wire{t: t, rw: host, r: nil, served: make(chan error, 1)}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					began := time.Now()
					var took time.Duration
					go func() {
						err := module.Serve(ctx, end, d, &module.Options{Log: new(bytes.Buffer), Grace: 4 * time.Second})
						took = time.Since(began)
						w.served <- err
					}()
					w.send(`{"type":"init","id":1,"protocol":1,"module_id":"a:1/instance-001"}`)
					w.send("%s", `{"type":"news"}`)
					synctest.Wait()
					w.send(`{"type":"handle","id":2,"message":{"topic":"slow"}}`)
					require.Equal(t, "slow", <-d.notes)
					began = time.Now()
					hangUp(w, cancel)
					err := <-w.served
					require.Equal(t, tt.notes, d.all())
					if tt.err == "" {
						require.NoError(t, err)
						require.Equal(t, tt.after, took)
					} else {
						require.ErrorContains(t, err, tt.err)
						require.LessOrEqual(t, took, tt.after+time.Second)
					}
					_ = host.Close()
				})
			})
		}
	}
}

func TestAnEndedCtxIsAnsweredAsLongAsTheHostListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, end := ipc.Pipe()
		conn := ipc.NewConn(host, nil)
		go func() { _ = conn.Run(context.Background()) }()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error)
		running := make(chan string, 1)
		go func() { served <- module.Serve(ctx, end, &fake{handle: block(running)}, nil) }()
		_, err := conn.Init(t.Context(), ipc.InitParams{Protocol: 1, ModuleID: "a:1/instance-001"})
		require.NoError(t, err)
		go func() { <-running; cancel() }()
		_, err = conn.Handle(t.Context(), ipc.Message{Topic: "t"}, ipc.Context{}, nil)
		require.ErrorIs(t, err, &module.Error{Code: ipc.CodeCancelled})
		require.Equal(t, module.Done, module.OutcomeOf(err))
		require.NoError(t, <-served)
		<-conn.Done()
	})
}

func TestShutdownFails(t *testing.T) {
	for _, tt := range []struct {
		name     string
		shutdown func(context.Context) error
		code     string
		text     string
	}{
		{"error", func(context.Context) error { return errors.New("disk full") }, "HANDLER_ERROR", "disk full"},
		{"own code", func(context.Context) error { return module.Errorf("DISK", "full") }, "DISK", "full"},
		{"panic", func(context.Context) error { panic("boom") }, "HANDLER_PANIC", "Shutdown panicked: boom"},
		{"late", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "TIMEOUT", "deadline"},
		{"never", func(context.Context) error { <-time.After(time.Hour); return nil }, "TIMEOUT", "did not return in time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := serve(t, &fake{shutdown: tt.shutdown}, nil)
				w.init()
				w.send(`{"type":"shutdown","id":2}`)
				w.expectError(2, tt.code, tt.text)
				require.ErrorContains(t, w.end(), tt.text)
			})
		})
	}
}

func TestShutdownCanStillCall(t *testing.T) {
	var host *module.Host
	h := moduletest.Start(t, &fake{
		init: func(_ context.Context, in *module.Init) error { host = in.Host; return nil },
		shutdown: func(ctx context.Context) error {
			_, err := host.Call(ctx, "other", nil)
			return err
		},
	}, moduletest.Options{})
	require.ErrorContains(t, h.Shutdown(t.Context()), "NO_PROVIDER")
	_, err := host.Call(t.Context(), "other", nil)
	require.ErrorIs(t, err, &module.Error{Code: module.CodeUnavailable})
	require.Equal(t, module.NotDelivered, module.OutcomeOf(err))
}

func TestPanics(t *testing.T) {
	boom := true
	h := moduletest.Start(t, &fake{
		handle: func(_ context.Context, msg *module.Message) (*module.Response, error) {
			var none map[string]int
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
	require.JSONEq(t, `{"trace":"abc","high":true,"from":"host"}`, string(answer.Data))
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
