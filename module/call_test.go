package module_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/module/moduletest"
)

// answering starts a module whose every topic does the same.
func answering(t *testing.T, f module.HandlerFunc) *moduletest.Harness {
	return moduletest.Start(t, &fake{handle: f}, moduletest.Options{})
}

func TestWhatAHandlersErrorBecomes(t *testing.T) {
	nested := &module.Error{
		Code: "BUSY", Message: "queue full", RetryAfter: time.Second, Outcome: module.NotDelivered, Origin: "supervisor",
		Details: json.RawMessage(`{"queue":64}`),
	}
	const cause = `{"cause":{"code":"BUSY","message":"queue full","details":{"queue":64},"retry_after_ms":1000,"outcome":"not_delivered","origin":"supervisor"}}`
	for _, tt := range []struct {
		name          string
		err           error
		code, message string
		details       string
		retryAfter    time.Duration
	}{
		{"any", errors.New("no ink"), "HANDLER_ERROR", "no ink", "", 0},
		{"own code", module.Errorf("NO_INK", "tray %d", 3), "NO_INK", "tray 3", "", 0},
		{"a supervisor's code", ipc.Errorf("BUSY", "not now"), "BUSY", "not now", "", 0},
		{"with details", &module.Error{Code: "NO_INK", Message: "m", Details: json.RawMessage(`{"tray":3}`), RetryAfter: time.Second}, "NO_INK", "m", `{"tray":3}`, time.Second},
		{"wrapped", fmt.Errorf("printing: %w", module.Errorf("NO_INK", "tray 3")), "NO_INK", "printing: NO_INK: tray 3", "", 0},
		{"deadline", fmt.Errorf("waiting: %w", context.DeadlineExceeded), "TIMEOUT", "waiting: context deadline exceeded", "", 0},
		{"cancelled", context.Canceled, "CANCELLED", "context canceled", "", 0},
		{"nested", nested, "BUSY", "queue full", cause, time.Second},
		{"nested, wrapped", fmt.Errorf("asking: %w", nested), "BUSY", "asking: BUSY: queue full", cause, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := answering(t, func(context.Context, *module.Message) (*module.Response, error) { return nil, tt.err })
			_, err := h.Call(t.Context(), "t", nil)
			var e *module.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.code, e.Code)
			require.Equal(t, tt.message, e.Message)
			require.Equal(t, tt.details, string(e.Details))
			require.Equal(t, tt.retryAfter, e.RetryAfter)
			require.Equal(t, module.Done, e.Outcome)
			require.Equal(t, "test:1.0.0/instance-001", e.Origin)
		})
	}
}

func TestResponses(t *testing.T) {
	ok := func(r *module.Response, err error) *module.Response {
		require.NoError(t, err)
		return r
	}
	for _, tt := range []struct {
		name     string
		response *module.Response
		want     string
		code     string
	}{
		{"nil", nil, `{}`, ""},
		{"empty", &module.Response{}, `{}`, ""},
		{"payload", module.Payload([]byte("hello")), `{"payload":"aGVsbG8="}`, ""},
		{"object", ok(module.JSON(struct{ A int }{1})), `{"A":1}`, ""},
		{"value", ok(module.JSON(5)), `{"payload":"NQ=="}`, ""},
		{"success", ok(module.Success(map[string]any{"a": true})), `{"a":true}`, ""},
		{"bare success", ok(module.Success(nil)), `{}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := answering(t, func(context.Context, *module.Message) (*module.Response, error) { return tt.response, nil })
			answer, err := h.Call(t.Context(), "t", nil)
			if tt.code != "" {
				require.ErrorIs(t, err, &module.Error{Code: tt.code})
				return
			}
			require.NoError(t, err)
			require.JSONEq(t, tt.want, string(answer.Data().JSON()))
		})
	}
	_, err := module.JSON(make(chan int))
	require.ErrorContains(t, err, "cannot be encoded")
}

type reading struct {
	Line string
	Temp float64
	At   struct{ Shelf int8 }
}

func TestHandleJSON(t *testing.T) {
	h := moduletest.Start(t, &fake{init: func(_ context.Context, in *module.Init) error {
		module.HandleJSON(in, "double", func(_ context.Context, r reading) (reading, error) {
			r.Temp *= 2
			return r, nil
		})
		module.HandleJSON(in, "count", func(_ context.Context, list []string) (int, error) { return len(list), nil })
		module.HandleJSON(in, "nothing", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })
		module.HandleJSON(in, "refuse", func(context.Context, int) (int, error) { return 0, module.Errorf("NO", "never") })
		return nil
	}}, moduletest.Options{})

	out, err := moduletest.CallJSON[reading](h, "double", reading{Line: "L7", Temp: 1.5})
	require.NoError(t, err)
	require.Equal(t, reading{Line: "L7", Temp: 3}, out)
	n, err := moduletest.CallJSON[int](h, "count", []string{"a", "b"})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	_, err = moduletest.CallJSON[struct{}](h, "nothing", nil)
	require.NoError(t, err)
	_, err = moduletest.CallJSON[int](h, "refuse", 1)
	require.ErrorIs(t, err, &module.Error{Code: "NO"})

	for _, tt := range []struct{ topic, payload, want string }{
		{"double", ``, `payload: is empty, expected an object`},
		{"count", ``, `payload: is empty, expected an array`},
		{"double", `{"line":`, `payload: the JSON is cut off`},
		{"double", `hello`, `payload: not JSON: invalid character 'h' looking for beginning of value, at byte 1`},
		{"double", `[]`, `payload: is an array, expected an object`},
		{"double", `{"temp":"hot"}`, `payload.Temp: is a string, expected a number`},
		{"double", `{"at":{"shelf":200}}`, `payload.At.Shelf: is 200, expected a whole number from -128 to 127`},
		{"double", `{"tmep":1}`, `payload: unknown field "tmep"`},
		{"double", `{} {}`, `payload: something follows the JSON value, at byte 4`},
		{"nothing", `{"a":1}`, `payload: unknown field "a"`},
	} {
		t.Run(tt.topic+" "+tt.payload, func(t *testing.T) {
			_, err := h.Call(t.Context(), tt.topic, []byte(tt.payload))
			var e *module.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, module.CodeInvalidInput, e.Code)
			require.Equal(t, tt.want, e.Message)
		})
	}
}

func TestCallJSON(t *testing.T) {
	var host *module.Host
	h := moduletest.Start(t, &fake{init: func(_ context.Context, in *module.Init) error { host = in.Host; return nil }}, moduletest.Options{})
	h.Provide("object", func(_ context.Context, msg *module.Message) (*module.Response, error) {
		return module.Success(map[string]any{"line": string(msg.Payload), "temp": 80})
	})
	h.Provide("value", func(context.Context, *module.Message) (*module.Response, error) { return module.JSON(7) })
	h.Provide("refusal", func(context.Context, *module.Message) (*module.Response, error) { return nil, errors.New("no") })
	h.Provide("unready", func(context.Context, *module.Message) (*module.Response, error) {
		return nil, ipc.Errorf(ipc.CodeUnavailable, "none is ready")
	})

	r, err := module.CallJSON[reading](t.Context(), host, "object", map[string]int{"a": 1})
	require.NoError(t, err)
	require.Equal(t, reading{Line: `{"a":1}`, Temp: 80}, r)
	r, err = module.CallJSON[reading](t.Context(), host, "object", nil)
	require.NoError(t, err)
	require.Empty(t, r.Line, "nil means no payload")
	n, err := module.CallJSON[int](t.Context(), host, "value", nil)
	require.NoError(t, err)
	require.Equal(t, 7, n)

	for _, tt := range []struct {
		topic   string
		in      any
		code    string
		outcome module.Outcome
		origin  string
	}{
		{"object", make(chan int), module.CodeInvalidInput, module.NotDelivered, "test:1.0.0/instance-001"},
		{"value", nil, module.CodeHandlerError, module.Done, "test:1.0.0/instance-001"},
		{"refusal", nil, module.CodeHandlerError, module.Done, "fake:1.0.0/instance-001"},
		{"unready", nil, module.CodeUnavailable, module.NotDelivered, "supervisor"},
		{"nobody's", nil, module.CodeNoProvider, module.NotDelivered, "supervisor"},
	} {
		_, err := module.CallJSON[reading](t.Context(), host, tt.topic, tt.in)
		var e *module.Error
		require.ErrorAs(t, err, &e, tt.topic)
		require.Equal(t, tt.code, e.Code, tt.topic)
		require.Equal(t, tt.outcome, module.OutcomeOf(err), tt.topic)
		require.Equal(t, tt.origin, e.Origin, tt.topic)
	}
}

// The supervisor decides a call when its deadline passes, a moment after the module's own clock has seen that.
func TestTheVerdictAfterADeadline(t *testing.T) {
	for _, tt := range []struct {
		name    string
		judge   time.Duration // after the deadline
		ttl     time.Duration // of the handler that calls; 0: none
		waits   time.Duration
		outcome module.Outcome
	}{
		{"comes", 50 * time.Millisecond, 0, 1050 * time.Millisecond, module.NotDelivered},
		{"comes too late", time.Hour, 0, 1100 * time.Millisecond, module.Unknown},
		{"has no time beyond the handler's", 50 * time.Millisecond, 1020 * time.Millisecond, 1020 * time.Millisecond, module.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var host *module.Host
				result := make(chan error, 1)
				h := moduletest.Start(t, &fake{
					init: func(_ context.Context, in *module.Init) error { host = in.Host; return nil },
					handle: func(ctx context.Context, _ *module.Message) (*module.Response, error) {
						began := time.Now()
						ctx, cancel := context.WithTimeout(ctx, time.Second)
						defer cancel()
						_, err := host.Call(ctx, "other", nil)
						if took := time.Since(began); took != tt.waits {
							err = fmt.Errorf("waited %v", took)
						}
						result <- err
						return nil, err
					},
				}, moduletest.Options{})
				// Like a supervisor that looks for a ready instance until its own clock says that the time is over.
				h.Provide("other", func(ctx context.Context, _ *module.Message) (*module.Response, error) {
					deadline, _ := ctx.Deadline()
					if left := time.Until(deadline); left != time.Second {
						return nil, fmt.Errorf("%v left", left)
					}
					<-time.After(time.Second + tt.judge)
					return nil, ipc.Errorf(ipc.CodeUnavailable, "none was ready")
				})
				ctx := t.Context()
				if tt.ttl > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.ttl)
					defer cancel()
				}
				_, err := h.Call(ctx, "t", nil)
				require.Error(t, err)
				err = <-result
				require.Equal(t, tt.outcome, module.OutcomeOf(err), err)
			})
		})
	}
}

func TestACallWithoutTimeLeftIsNotMade(t *testing.T) {
	var host *module.Host
	h := moduletest.Start(t, &fake{init: func(_ context.Context, in *module.Init) error { host = in.Host; return nil }}, moduletest.Options{})
	h.Provide("other", func(context.Context, *module.Message) (*module.Response, error) { panic("it was made") })
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	_, err := host.Call(ctx, "other", nil)
	require.ErrorIs(t, err, &module.Error{Code: ipc.CodeTTLExpired})
	require.Equal(t, module.NotDelivered, module.OutcomeOf(err))
}

func TestCallsInFlightEndWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var host *module.Host
		h := moduletest.Start(t, &fake{init: func(_ context.Context, in *module.Init) error { host = in.Host; return nil }}, moduletest.Options{})
		h.Provide("other", func(ctx context.Context, _ *module.Message) (*module.Response, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		result := make(chan error, 1)
		go func() {
			_, err := host.Call(context.Background(), "other", nil)
			result <- err
		}()
		synctest.Wait()
		require.NoError(t, h.Disconnect())
		err := <-result
		require.ErrorIs(t, err, &module.Error{Code: ipc.CodeCancelled})
		require.Equal(t, module.Unknown, module.OutcomeOf(err))
	})
}

// A ctx that a handler hangs below its own costs no goroutine, and ends with it.
func TestAContextBelowAHandlers(t *testing.T) {
	const many = 100
	more, ended := make(chan int, 1), make(chan error, many)
	h := answering(t, func(ctx context.Context, _ *module.Message) (*module.Response, error) {
		before := runtime.NumGoroutine()
		for range many {
			below, cancel := context.WithTimeout(ctx, time.Hour)
			t.Cleanup(cancel)
			context.AfterFunc(below, func() { ended <- context.Cause(below) })
		}
		more <- runtime.NumGoroutine() - before
		return nil, nil
	})
	_, err := h.Call(t.Context(), "t", nil)
	require.NoError(t, err)
	require.Less(t, <-more, many/2)
	for range many {
		require.ErrorIs(t, <-ended, context.Canceled)
	}
}

// The last who calls the host has no handler's answer to be in time for.
func TestTheVerdictInShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var host *module.Host
		result := make(chan error, 1)
		h := moduletest.Start(t, &fake{
			init: func(_ context.Context, in *module.Init) error { host = in.Host; return nil },
			shutdown: func(ctx context.Context) error {
				_, err := host.Call(ctx, "other", nil)
				result <- err
				return nil
			},
		}, moduletest.Options{})
		h.Provide("other", func(ctx context.Context, _ *module.Message) (*module.Response, error) {
			deadline, _ := ctx.Deadline()
			<-time.After(time.Until(deadline) + 50*time.Millisecond)
			return nil, ipc.Errorf(ipc.CodeUnavailable, "none was ready")
		})
		require.NoError(t, h.Shutdown(t.Context()))
		err := <-result
		require.Equal(t, module.NotDelivered, module.OutcomeOf(err), "%v", err)
	})
}

func TestTheTraceOfAMessageThatWasChanged(t *testing.T) {
	var seen string
	h := moduletest.Start(t, &fake{handle: func(ctx context.Context, m *module.Message) (*module.Response, error) {
		m.Context = module.Context{}
		seen = module.TraceID(ctx)
		return nil, nil
	}}, moduletest.Options{})
	_, err := h.Send(t.Context(), &module.Message{Topic: "t", Context: module.Context{TraceID: "abc"}})
	require.NoError(t, err)
	require.Equal(t, "abc", seen)
}
