package module_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/module"
)

func TestInitAnswer(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts *module.Options
		set  int
		send string
		want string
	}{
		{"defaults", nil, 0,
			`{"type":"init","id":1,"protocol":1,"module_id":"a:1/instance-001","extensions":["raw","cancel","stream"]}`,
			`{"protocol":1,"sdk":"ixt-go/0.1.0","extensions":["raw","cancel"],"max_concurrency":64}`},
		{"nothing offered", &module.Options{MaxConcurrency: 7}, 0,
			`{"type":"init","id":1,"protocol":1,"module_id":"a:1/instance-001"}`,
			`{"protocol":1,"sdk":"ixt-go/0.1.0","max_concurrency":7}`},
		{"a newer host", &module.Options{ID: "a:1/instance-001"}, 1,
			`{"type":"init","id":1,"protocol":9,"later":true}`,
			`{"protocol":1,"sdk":"ixt-go/0.1.0","max_concurrency":1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := serve(t, &fake{init: func(_ context.Context, in *module.Init) error {
				require.Equal(t, "a:1/instance-001", in.ID.String())
				if tt.set != 0 {
					in.MaxConcurrency = tt.set
				}
				return nil
			}}, tt.opts)
			w.send("%s", tt.send)
			w.expect(`{"type":"response","id":1,"status":"success","data":` + tt.want + `}`)
		})
	}
}

func TestInitRefused(t *testing.T) {
	for _, tt := range []struct{ name, send, code, text string }{
		{"no protocol", `{"type":"init","id":1,"module_id":"a:1/instance-001"}`, "UNSUPPORTED_PROTOCOL", "protocol 0"},
		{"old protocol", `{"type":"init","id":1,"protocol":-1,"module_id":"a:1/instance-001"}`, "UNSUPPORTED_PROTOCOL", "protocol -1"},
		{"no id", `{"type":"init","id":1,"protocol":1}`, "INVALID_INPUT", "not a module id"},
		{"handle first", `{"type":"handle","id":1,"message":{"topic":"t"}}`, "PROTOCOL_ERROR", "a handle came before init"},
		{"health first", `{"type":"health_check","id":1}`, "PROTOCOL_ERROR", "a health_check came before init"},
		{"shutdown first", `{"type":"shutdown","id":1}`, "PROTOCOL_ERROR", "a shutdown came before init"},
		{"unknown first", `{"type":"hello","id":1}`, "PROTOCOL_ERROR", "a hello came before init"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				w := serve(t, &fake{shutdown: func(context.Context) error { panic("nothing was started") }}, nil)
				w.send("%s", tt.send)
				w.expectError(1, tt.code, tt.text)
				require.ErrorIs(t, w.end(), &module.Error{Code: tt.code})
				require.Equal(t, began, time.Now(), "the end takes no waiting")
			})
		})
	}
}

func TestNothingIsServedWhileInitRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := serve(t, &fake{init: func(ctx context.Context, _ *module.Init) error {
			<-ctx.Done()
			return ctx.Err()
		}}, nil)
		w.send(`{"type":"init","id":1,"protocol":1,"module_id":"a:1/instance-001"}`)
		synctest.Wait()
		w.send(`{"type":"handle","id":2,"message":{"topic":"t"}}`)
		answers := w.receive() + w.receive() // in either order
		require.Contains(t, answers, `"id":2,"type":"response","status":"error","error":{"code":"PROTOCOL_ERROR"`)
		require.Contains(t, answers, `"id":1,"type":"response","status":"error","error":{"code":"CANCELLED"`)
		require.ErrorIs(t, w.end(), &module.Error{Code: "PROTOCOL_ERROR"})
	})
}

func TestSecondInitAndUnknownRequests(t *testing.T) {
	w := serve(t, &fake{}, nil)
	w.send(`{"type":"news"}`) // a notification, which nobody minds
	w.init()
	w.send(`{"type":"init","id":2,"protocol":1,"module_id":"press:1.0.0/instance-001"}`)
	w.expectError(2, "INVALID_INPUT", "init came twice")
	w.send(`{"type":"stream_open","id":3}`)
	w.expectError(3, "UNKNOWN_TYPE", "stream_open")
	w.send(`{"type":"handle","id":4}`)
	w.expectError(4, "INVALID_INPUT", "no message")
	w.send(`{"type":"handle","id":5,"message":{"topic":"t","payload":"?"}}`)
	w.expectError(5, "INVALID_INPUT", "base64")
	w.send(`{"type":"handle","id":6,"message":{"topic":"t"}}`)
	w.expectError(6, "UNKNOWN_TOPIC", `"t"`)
	w.send(`{"type":"health_check","id":7}`)
	w.expect(`{"type":"response","id":7,"status":"success","data":{"healthy":true,"ready":true}}`)
	w.send(`{"type":"shutdown","id":8}`)
	w.expect(`{"type":"response","id":8,"status":"success"}`)
	require.NoError(t, w.end())
}

func TestBusyBeyondTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := make(chan string, 3)
		w := serve(t, &fake{handle: block(running)}, &module.Options{MaxConcurrency: 2})
		w.init()
		for id := 2; id <= 3; id++ {
			w.send(`{"type":"handle","id":%d,"message":{"topic":"slow"}}`, id)
			<-running
		}
		w.send(`{"type":"handle","id":4,"message":{"topic":"slow"}}`)
		w.expectError(4, "BUSY", "2 calls are open")
		w.send(`{"type":"health_check","id":5}`)
		w.expect(`{"type":"response","id":5,"status":"success","data":{"healthy":true,"ready":true}}`)
		w.send(`{"type":"cancel","id":2}`)
		w.expectError(2, "CANCELLED", "")
		w.send(`{"type":"handle","id":6,"message":{"topic":"slow","ttl_ms":1000}}`)
		require.Equal(t, "slow", <-running)
		w.expectError(6, "TIMEOUT", "")
		w.send(`{"type":"shutdown","id":7,"grace_ms":1000}`)
		w.expectError(3, "CANCELLED", "")
		w.expect(`{"type":"response","id":7,"status":"success"}`)
		require.NoError(t, w.end())
	})
}

func TestServiceRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var host *module.Host
		m := &fake{
			init: func(ctx context.Context, in *module.Init) error {
				host = in.Host
				_, err := host.Call(ctx, "early", nil)
				return err
			},
			handle: func(ctx context.Context, msg *module.Message) (*module.Response, error) {
				if msg.Topic == "hurry" {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(module.WithPriority(ctx, module.Urgent), 1500*time.Millisecond)
					defer cancel()
				}
				return host.Call(ctx, "other", []byte("hi"))
			},
		}
		w := serve(t, m, nil)
		w.send(`{"type":"init","id":1,"protocol":1,"module_id":"press:1.0.0/instance-001","extensions":["cancel"]}`)
		w.expect(`{"type":"service_request","id":1,"service":"message_bus","method":"call","params":{"topic":"early","priority":1}}`)
		w.send(`{"type":"service_response","id":1,"status":"success"}`)
		w.receive()

		w.send(`{"type":"handle","id":2,"message":{"topic":"plain"},"context":{"trace_id":"abc"}}`)
		w.expect(`{"type":"service_request","id":2,"service":"message_bus","method":"call","parent":2,
			"params":{"topic":"other","payload":"aGk=","priority":1},"context":{"trace_id":"abc"}}`)
		w.send(`{"type":"service_response","id":2,"status":"success","data":{"n":1}}`)
		w.expect(`{"type":"response","id":2,"status":"success","data":{"n":1}}`)

		w.send(`{"type":"handle","id":3,"message":{"topic":"hurry","ttl_ms":9000}}`)
		w.expect(`{"type":"service_request","id":3,"service":"message_bus","method":"call","parent":3,"ttl_ms":1500,
			"params":{"topic":"other","payload":"aGk=","priority":3}}`)
		w.send(`{"type":"cancel","id":3}`)
		w.expect(`{"type":"cancel","id":3}`)
		e := w.expectError(3, "CANCELLED", "gave up")
		require.JSONEq(t, `{"cause":{"code":"CANCELLED","message":"the caller gave up","outcome":"unknown","origin":"press:1.0.0/instance-001"}}`,
			string(e.Details))
	})
}

func TestACallMadeAfterItsHandlerHasNoParent(t *testing.T) {
	var host *module.Host
	answered := make(chan struct{})
	w := serve(t, &fake{
		init: func(_ context.Context, in *module.Init) error { host = in.Host; return nil },
		handle: func(ctx context.Context, _ *module.Message) (*module.Response, error) {
			go func() {
				<-answered
				_, _ = host.Call(context.WithoutCancel(ctx), "later", nil)
			}()
			return nil, nil
		},
	}, nil)
	w.init()
	w.send(`{"type":"handle","id":2,"message":{"topic":"t"},"context":{"trace_id":"abc"}}`)
	w.expect(`{"type":"response","id":2,"status":"success"}`)
	close(answered)
	w.expect(`{"type":"service_request","id":1,"service":"message_bus","method":"call",
		"params":{"topic":"later","priority":1},"context":{"trace_id":"abc"}}`)
	w.send(`{"type":"service_response","id":1,"status":"success"}`)
}
