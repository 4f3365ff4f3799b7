package module_test

import (
	"bytes"
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

// diary notes what happens to a module, in order.
type diary struct {
	*fake
	notes   chan string
	release chan struct{} // ends a handler that would never return
}

// newDiary is a module whose topic "slow" takes as long as said once its ctx has ended, or without waiting for that
// if it is patient.
func newDiary(takes time.Duration, patient bool) diary {
	d := diary{notes: make(chan string, 16), release: make(chan struct{})}
	d.fake = &fake{
		handle: func(ctx context.Context, msg *module.Message) (*module.Response, error) {
			d.notes <- msg.Topic
			if !patient {
				<-ctx.Done()
				d.notes <- "ctx ended"
			}
			select {
			case <-time.After(takes):
			case <-d.release:
			}
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
				defer close(d.release)
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
					defer close(d.release)
					host, end := ipc.Pipe()
					w := &wire{t: t, rw: host, served: make(chan error, 1)}
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
		_, err = conn.Handle(t.Context(), &ipc.Message{Topic: "t"}, nil, nil)
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
		{"never", func(context.Context) error { <-time.After(10 * time.Second); return nil }, "TIMEOUT", "did not return in time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := serve(t, &fake{shutdown: tt.shutdown}, nil)
				w.init()
				w.send(`{"type":"shutdown","id":2,"grace_ms":1000}`)
				w.expectError(2, tt.code, tt.text)
				require.ErrorContains(t, w.end(), tt.text)
				<-time.After(time.Minute) // for the one that comes back
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
