package module_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/module/moduletest"
)

// start starts a module whose Init only keeps its Host, and returns that.
func start(t *testing.T, m *fake, opts moduletest.Options) (*moduletest.Harness, *module.Host) {
	var host *module.Host
	own := m.init
	m.init = func(ctx context.Context, in *module.Init) error {
		host = in.Host
		if own != nil {
			return own(ctx, in)
		}
		return nil
	}
	return moduletest.Start(t, m, opts), host
}

func TestSubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []module.Event
		h, _ := start(t, &fake{init: func(ctx context.Context, in *module.Init) error {
			return in.Host.Subscribe(ctx, "plc.*.temp", func(_ context.Context, e *module.Event) error {
				got = append(got, *e)
				return nil
			})
		}}, moduletest.Options{})
		now := time.Unix(time.Now().Unix(), 0)
		require.NoError(t, h.Publish(t.Context(), "plc.l7.temp", []byte("80")))
		require.NoError(t, h.Publish(t.Context(), "plc.l8.temp", nil))
		require.ErrorIs(t, h.Publish(t.Context(), "plc.l8.hum", nil), &module.Error{Code: module.CodeNoProvider})
		require.Equal(t, []module.Event{
			{Topic: "plc.l7.temp", Payload: []byte("80"), Source: "host", Time: now, Seq: 1, Attempt: 1},
			{Topic: "plc.l8.temp", Payload: []byte{}, Source: "host", Time: now, Seq: 2, Attempt: 1},
		}, got)
	})
}

func TestSubscribeSaysWhatIsWanted(t *testing.T) {
	for _, tt := range []struct {
		opts []module.SubscribeOption
		want string
	}{
		{nil, `{"pattern":"a.>"}`},
		{[]module.SubscribeOption{module.Group(), module.Buffer(7)}, `{"pattern":"a.>","group":true,"buffer":7}`},
		{[]module.SubscribeOption{module.Durable("d"), module.FromKept()}, `{"pattern":"a.>","durable":"d","from":"kept"}`},
	} {
		w := serve(t, &fake{init: func(ctx context.Context, in *module.Init) error {
			return in.Host.Subscribe(ctx, "a.>", ignore, tt.opts...)
		}}, nil)
		w.send(`{"type":"init","id":1,"protocol":1,"module_id":"press:1.0.0/instance-001"}`)
		w.expect(`{"type":"service_request","id":1,"service":"events","method":"subscribe","params":` + tt.want + `}`)
		w.send(`{"type":"service_response","id":1,"status":"success","data":{"subscription":"a.>"}}`)
		require.Contains(t, w.receive(), `"status":"success"`)
	}
}

func ignore(context.Context, *module.Event) error { return nil }

func TestSubscribeRefuses(t *testing.T) {
	_, host := start(t, &fake{}, moduletest.Options{})
	ctx := t.Context()
	require.NoError(t, host.Subscribe(ctx, "a", ignore))
	for _, tt := range []struct {
		name, text string
		err        error
	}{
		{"no handler", "nil", host.Subscribe(ctx, "b", nil)},
		{"no handler of a watch", "nil", host.KV().Watch(ctx, "b", nil)},
		{"a second handler", "already", host.Subscribe(ctx, "a", ignore)},
		{"what the host refuses", "a..b", host.Subscribe(ctx, "a..b", ignore)},
	} {
		require.ErrorIs(t, tt.err, &module.Error{Code: module.CodeInvalidInput}, tt.name)
		require.ErrorContains(t, tt.err, tt.text, tt.name)
		require.Equal(t, module.NotDelivered, module.OutcomeOf(tt.err), tt.name)
	}
	require.NoError(t, host.Unsubscribe(ctx, "a"))
	require.True(t, module.IsNotFound(host.Unsubscribe(ctx, "a")))
	require.NoError(t, host.Subscribe(ctx, "a", ignore))
}

func TestDurableSubscriptionsOfOnePattern(t *testing.T) {
	h, host := start(t, &fake{}, moduletest.Options{})
	got := make(chan string, 10)
	for _, name := range []string{"", "archive", "alarm"} {
		require.NoError(t, host.Subscribe(t.Context(), "a.*", func(context.Context, *module.Event) error {
			got <- name
			return nil
		}, module.Durable(name)))
	}
	require.NoError(t, h.Publish(t.Context(), "a.b", nil))
	require.ElementsMatch(t, []string{"", "archive", "alarm"}, []string{<-got, <-got, <-got})
	require.NoError(t, host.Unsubscribe(t.Context(), "a.*", module.Durable("archive")))
	require.NoError(t, host.Unsubscribe(t.Context(), "a.*"))
	require.True(t, module.IsNotFound(host.Unsubscribe(t.Context(), "a.*")))
	require.NoError(t, h.Publish(t.Context(), "a.b", nil))
	require.Equal(t, "alarm", <-got)
	require.Empty(t, got)
}

// subscribing asks the module to subscribe to "a" in a handle; the test answers for the host.
func subscribing(w *wire) {
	w.send(`{"type":"handle","id":2,"message":{"topic":"go"}}`)
	w.expect(`{"type":"service_request","id":1,"service":"events","method":"subscribe","params":{"pattern":"a"},"parent":2}`)
}

func subscriber(f func(context.Context, *module.Event) error) *fake {
	var host *module.Host
	return &fake{
		init: func(_ context.Context, in *module.Init) error { host = in.Host; return nil },
		handle: func(ctx context.Context, _ *module.Message) (*module.Response, error) {
			return nil, host.Subscribe(ctx, "a", f)
		},
	}
}

func TestAnEventMayOvertakeTheAnswerToSubscribe(t *testing.T) {
	seen := make(chan string, 1)
	w := serve(t, subscriber(func(_ context.Context, e *module.Event) error { seen <- e.Topic; return nil }), nil)
	w.init()
	subscribing(w)
	w.send(`{"type":"event","id":3,"event":{"subscription":"by another name","seq":1},"message":{"topic":"a"}}`)
	w.send(`{"type":"health_check","id":4}`)
	require.Contains(t, w.receive(), `"healthy":true`) // the event has been read, and waits
	w.send(`{"type":"service_response","id":1,"status":"success","data":{"subscription":"by another name"}}`)
	answers := w.receive() + w.receive()
	require.Contains(t, answers, `"id":2`)
	require.Contains(t, answers, `"id":3`)
	require.NotContains(t, answers, "error")
	require.Equal(t, "a", <-seen)
}

func TestAnEventDuringInitWaitsForItsEnd(t *testing.T) {
	subscribed, finish := make(chan struct{}), make(chan struct{})
	var ready bool
	w := serve(t, &fake{init: func(ctx context.Context, in *module.Init) error {
		err := in.Host.Subscribe(ctx, "a", func(context.Context, *module.Event) error {
			if !ready {
				return errors.New("the module is not ready")
			}
			return nil
		})
		close(subscribed)
		<-finish
		ready = true
		return err
	}}, nil)
	w.send(`{"type":"init","id":1,"protocol":1,"module_id":"press:1.0.0/instance-001"}`)
	require.Contains(t, w.receive(), "subscribe")
	w.send(`{"type":"service_response","id":1,"status":"success","data":{"subscription":"a"}}`)
	<-subscribed
	w.send(`{"type":"event","id":2,"event":{"subscription":"a","seq":1},"message":{"topic":"a"}}`)
	close(finish)
	answers := w.receive() + w.receive()
	require.Contains(t, answers, `"id":2`)
	require.NotContains(t, answers, "error")
}

func TestAnEventForNobodyEndsItsSubscription(t *testing.T) {
	for _, tt := range []struct{ name, event, want, answer, warns string }{
		{"of an earlier process", `"subscription":"a.*","seq":3`, `"service":"events","method":"unsubscribe","params":{"subscription":"a.*"}`,
			`"status":"success"`, "maybe an earlier one"},
		{"a watch", `"subscription":"kv:press:>","seq":3,"op":"set"`, `"service":"kv","method":"unwatch","params":{"subscription":"kv:press:>"}`,
			`"status":"success"`, "maybe an earlier one"},
		{"just ended", `"subscription":"a.*","seq":3`, `"service":"events","method":"unsubscribe","params":{"subscription":"a.*"}`,
			`"status":"error","error":{"code":"NOT_FOUND","message":"no"}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := make(chan string, 10)
			w := serve(t, &fake{}, &module.Options{Log: writerFunc(func(b []byte) { log <- string(b) })})
			w.init()
			w.send(`{"type":"event","id":2,"event":{%s},"message":{"topic":"a.b"},"context":{"trace_id":"abc"}}`, tt.event)
			w.expect(`{"type":"service_request","id":1,` + tt.want + `,"context":{"trace_id":"abc"}}`)
			w.send(`{"type":"service_response","id":1,%s}`, tt.answer)
			w.expectError(2, module.CodeUnknownTopic, "no subscription")
			close(log)
			require.Contains(t, <-log, tt.warns)
			require.Empty(t, log)
		})
	}
}

// What waits in a durable subscription is not thrown away because the module has not come to subscribing yet.
func TestAnEventForNobodyLeavesADurableSubscription(t *testing.T) {
	log := make(chan string, 10)
	w := serve(t, &fake{}, &module.Options{Log: writerFunc(func(b []byte) { log <- string(b) })})
	w.init()
	w.send(`{"type":"event","id":2,"event":{"subscription":"ledger:a.*","seq":3},"message":{"topic":"a.b"}}`)
	w.expectError(2, module.CodeUnknownTopic, "no subscription")
	require.Contains(t, <-log, "it will come again")
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }

func TestEventsWithoutTheirMembers(t *testing.T) {
	w := serve(t, &fake{}, nil)
	w.init()
	w.send(`{"type":"event","id":2,"message":{"topic":"a"}}`)
	w.expectError(2, module.CodeInvalidInput, "members message and event")
	w.send(`{"type":"event","id":3,"event":{"subscription":"a","seq":1}}`)
	w.expectError(3, module.CodeInvalidInput, "members message and event")
	w.send(`{"type":"event","id":4,"event":{"subscription":"a","seq":1},"message":{"topic":"a","payload":"?"}}`)
	w.expectError(4, module.CodeInvalidInput, "base64")
}

func TestWhatAnEventHandlerReturns(t *testing.T) {
	h, host := start(t, &fake{}, moduletest.Options{})
	for topic, f := range map[string]func() error{
		"fine":  func() error { return nil },
		"error": func() error { return errors.New("no ink") },
		"own":   func() error { return module.Errorf("NO_INK", "none") },
		"panic": func() error { panic("boom") },
	} {
		require.NoError(t, host.Subscribe(t.Context(), topic, func(ctx context.Context, _ *module.Event) error {
			require.Nil(t, module.MessageFrom(ctx))
			return f()
		}))
	}
	require.NoError(t, h.Publish(t.Context(), "fine", nil))
	require.ErrorIs(t, h.Publish(t.Context(), "error", nil), &module.Error{Code: module.CodeHandlerError})
	require.ErrorIs(t, h.Publish(t.Context(), "own", nil), &module.Error{Code: "NO_INK"})
	require.ErrorIs(t, h.Publish(t.Context(), "panic", nil), &module.Error{Code: ipc.CodeHandlerPanic})
	log := h.Log()
	require.Len(t, log, 1)
	require.Contains(t, log[0]["stack"], "TestWhatAnEventHandlerReturns")
}

func TestEventsDoNotCountAsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := make(chan string, 3)
		h, host := start(t, &fake{handle: block(running)}, moduletest.Options{MaxConcurrency: 1})
		go func() { _, _ = h.Call(t.Context(), "busy", nil) }()
		require.Equal(t, "busy", <-running)
		for _, pattern := range []string{"a", "b"} {
			require.NoError(t, host.Subscribe(t.Context(), pattern, func(ctx context.Context, e *module.Event) error {
				running <- e.Topic
				<-ctx.Done()
				return ctx.Err()
			}))
		}
		failed := make(chan error, 2)
		for _, topic := range []string{"a", "b"} {
			go func() { failed <- h.Publish(context.Background(), topic, nil) }()
		}
		require.ElementsMatch(t, []string{"a", "b"}, []string{<-running, <-running})
		began := time.Now()
		require.NoError(t, h.Shutdown(t.Context())) // ends the ctx of every handler at half time
		require.Equal(t, 2500*time.Millisecond, time.Since(began))
		require.ErrorIs(t, <-failed, &module.Error{Code: ipc.CodeCancelled})
		require.ErrorIs(t, <-failed, &module.Error{Code: ipc.CodeCancelled})
	})
}

func TestAnEventIsCancelled(t *testing.T) {
	entered := make(chan struct{})
	w := serve(t, subscriber(func(ctx context.Context, _ *module.Event) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}), nil)
	w.init()
	subscribing(w)
	w.send(`{"type":"service_response","id":1,"status":"success","data":{"subscription":"a"}}`)
	w.expect(`{"type":"response","id":2,"status":"success"}`)
	w.send(`{"type":"event","id":3,"event":{"subscription":"a","seq":1},"message":{"topic":"a"}}`)
	<-entered
	w.send(`{"type":"cancel","id":3}`)
	w.expectError(3, ipc.CodeCancelled, "")
}

// Requests made while an event is handled have its trace id and no parent.
func TestRequestsOfAnEventHandler(t *testing.T) {
	var host *module.Host
	w := serve(t, &fake{init: func(ctx context.Context, in *module.Init) error {
		host = in.Host
		return host.Subscribe(ctx, "a", func(ctx context.Context, e *module.Event) error {
			return errors.Join(host.Publish(ctx, "b", e.Payload), host.Unsubscribe(ctx, "a"))
		})
	}}, nil)
	w.send(`{"type":"init","id":1,"protocol":1,"module_id":"press:1.0.0/instance-001"}`)
	require.Contains(t, w.receive(), "subscribe")
	w.send(`{"type":"service_response","id":1,"status":"success","data":{"subscription":"a"}}`)
	require.Contains(t, w.receive(), `"status":"success"`)
	w.send(`{"type":"event","id":2,"event":{"subscription":"a","seq":1},"message":{"topic":"a","payload":"aGk="},"context":{"trace_id":"abc"}}`)
	w.expect(`{"type":"service_request","id":2,"service":"events","method":"publish","params":{"topic":"b","payload":"aGk="},"context":{"trace_id":"abc"}}`)
	w.send(`{"type":"service_response","id":2,"status":"success"}`)
	w.expect(`{"type":"service_request","id":3,"service":"events","method":"unsubscribe","params":{"subscription":"a"},"context":{"trace_id":"abc"}}`)
	w.send(`{"type":"service_response","id":3,"status":"success"}`)
	w.expect(`{"type":"response","id":2,"status":"success"}`)
}

func TestWaitingForAnotherSubscription(t *testing.T) {
	w := serve(t, subscriber(ignore), nil)
	w.init()
	subscribing(w)
	w.send(`{"type":"handle","id":3,"message":{"topic":"go"}}`)
	w.send(`{"type":"cancel","id":3}`)
	w.expectError(3, ipc.CodeCancelled, "another subscription was still being made")
}

func TestPublish(t *testing.T) {
	h, host := start(t, &fake{}, moduletest.Options{})
	require.NoError(t, host.Publish(t.Context(), "plc.l7.temp", []byte("80")))
	require.NoError(t, module.PublishJSON(t.Context(), host, "press.checked", verdict{OK: true}))
	require.ErrorIs(t, module.PublishJSON(t.Context(), host, "x", make(chan int)), &module.Error{Code: module.CodeInvalidInput})
	require.ErrorIs(t, host.Publish(t.Context(), "x.*", nil), &module.Error{Code: module.CodeInvalidInput})
	require.ErrorIs(t, host.Publish(t.Context(), "x", make([]byte, 1<<20+1)), &module.Error{Code: module.CodeTooLarge})

	e, err := h.AwaitEvent(t.Context(), "press.>")
	require.NoError(t, err)
	var v verdict
	require.NoError(t, e.Decode(&v))
	require.True(t, v.OK)
	err = h.Events()[0].Decode(&v)
	require.ErrorIs(t, err, &module.Error{Code: module.CodeInvalidInput})
	require.ErrorContains(t, err, "plc.l7.temp: payload: is a number, expected an object")
}

func TestSend(t *testing.T) {
	w := serve(t, &fake{init: func(ctx context.Context, in *module.Init) error {
		ctx = module.WithTarget(module.WithPriority(ctx, module.High), "press:2.4.1")
		return in.Host.Send(ctx, "press.check", []byte("hi"))
	}}, nil)
	w.send(`{"type":"init","id":1,"protocol":1,"module_id":"press:1.0.0/instance-001"}`)
	w.expect(`{"type":"service_request","id":1,"service":"message_bus","method":"send",
		"params":{"topic":"press.check","payload":"aGk=","priority":2,"target":"press:2.4.1"}}`)
	w.send(`{"type":"service_response","id":1,"status":"error","error":{"code":"NO_PROVIDER","message":"nobody","outcome":"not_delivered","origin":"supervisor"}}`)
	w.expectError(1, "INIT_FAILED", "nobody")
}
