package ipc_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// module answers like a small module: it greets, repeats, refuses and asks its host back.
func module(c **conn) ipc.Handler {
	return func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
		switch req.Type {
		case ipc.TypeInit:
			(*c).Enable([]string{ipc.ExtCancel}, req.MaxFrame)
			return ipc.ObjectData([]byte(`{"protocol":1,"sdk":"test/1","extensions":["cancel"],"max_concurrency":8}`)), nil
		case ipc.TypeHealthCheck:
			return ipc.ObjectData([]byte(`{"ready":false,"reason":"warming up","queue":3}`)), nil
		case ipc.TypeShutdown:
			(*c).Drain()
			return ipc.Data{}, nil
		case ipc.TypeHandle:
		default:
			return ipc.Data{}, ipc.UnknownType(req)
		}
		switch req.Message.Topic {
		case "echo":
			return ipc.PayloadData([]byte(req.Message.Payload.Text())), nil
		case "ask":
			return (*c).Service(ctx, ipc.ServiceRequest{Service: "kv", Method: "get", Params: ipc.ObjectData([]byte(`{"key":"k"}`)), Parent: req.ID, TraceID: "t1"})
		case "hang":
			<-ctx.Done()
			return ipc.Data{}, ctx.Err()
		}
		return ipc.Data{}, ipc.Errorf(ipc.CodeUnknownTopic, "no topic %q", req.Message.Topic)
	}
}

func TestAModulesLife(t *testing.T) {
	eachTransport(t, func(t *testing.T, a, b io.ReadWriteCloser) {
		requests := make(chan *ipc.Envelope, 1)
		host := start(t, a, &ipc.Options{Handler: func(_ context.Context, req *ipc.Envelope) (ipc.Data, error) {
			kept, its := *req, *req.Context
			kept.Context = &its
			requests <- &kept
			return ipc.ObjectData([]byte(`{"value":42}`)), nil
		}})
		started := make(chan struct{})
		var end *conn
		serve := module(&end)
		end = start(t, b, &ipc.Options{Handler: func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
			<-started
			return serve(ctx, req)
		}})
		close(started)
		ctx := t.Context()

		r, err := host.Init(ctx, ipc.InitParams{Protocol: ipc.Version, ModuleID: "m:1.0.0/instance-001", Extensions: []string{ipc.ExtCancel, "raw"}, MaxFrame: 1 << 20})
		require.NoError(t, err)
		require.Equal(t, &ipc.InitResult{Protocol: 1, SDK: "test/1", Extensions: []string{"cancel"}, MaxConcurrency: 8}, r)

		data, err := host.Handle(ctx, &ipc.Message{Topic: "echo", Payload: ipc.PayloadText("aGk=")}, nil, nil)
		require.NoError(t, err)
		back, ok := data.Payload()
		require.True(t, ok)
		require.Equal(t, "aGk=", string(back))

		_, err = host.Handle(ctx, &ipc.Message{Topic: "sing"}, nil, nil)
		require.Equal(t, ipc.FromModule, requireError(t, err, ipc.CodeUnknownTopic, ipc.Done).Origin)

		bounded, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		data, err = host.Handle(bounded, &ipc.Message{Topic: "ask"}, &ipc.Context{TraceID: "t1"}, nil)
		require.NoError(t, err)
		require.JSONEq(t, `{"value":42}`, string(data.JSON()))
		req := <-requests
		require.Equal(t, "kv.get", req.Service+"."+req.Method)
		require.EqualValues(t, 4, req.Parent)
		require.Equal(t, "t1", req.Context.TraceID)
		require.InDelta(t, time.Minute.Milliseconds(), req.TTLMS, 30_000, "a child has what is left of its parent's time")

		h, err := host.Health(ctx)
		require.NoError(t, err)
		require.Equal(t, &ipc.Health{Healthy: true, Ready: false, Reason: "warming up", Extra: map[string]any{"queue": 3.0}}, h)

		given, giveUp := context.WithCancel(ctx)
		written, settled := make(chan int64, 1), make(chan struct{})
		go func() { <-written; giveUp() }()
		_, err = host.Handle(given, &ipc.Message{Topic: "hang"}, nil, &watch{
			written: func(id int64) { written <- id }, settled: func(ipc.Settlement) { close(settled) },
		})
		requireError(t, err, ipc.CodeCancelled, ipc.Unknown)
		<-settled // the cancelled handler has answered
		stats := host.Stats()
		stats.Stalled = 0 // the writer may still be coming back from the cancel
		require.Equal(t, ipc.Stats{Late: 1}, stats)

		require.NoError(t, host.Shutdown(ctx, time.Second))
		require.NoError(t, end.end())
		require.ErrorIs(t, host.end(), io.EOF)
	})
}

func TestInitRefusesWhatTheHostDoesNotSpeak(t *testing.T) {
	for name, tt := range map[string]struct {
		data string
		code string
	}{
		"newer than offered":  {`{"protocol":3}`, ipc.CodeUnsupportedProtocol},
		"negative":            {`{"protocol":-1}`, ipc.CodeUnsupportedProtocol},
		"not an answer to it": {`{"protocol":"one"}`, ipc.CodeProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			c, p := overPipe(t, nil)
			failed := make(chan error, 1)
			go func() {
				_, err := c.Init(context.Background(), ipc.InitParams{Protocol: 2})
				failed <- err
			}()
			p.receive()
			p.send(`{"type":"response","id":1,"status":"success","data":` + tt.data + `}`)
			var e *ipc.Error
			require.ErrorAs(t, <-failed, &e)
			require.Equal(t, tt.code, e.Code)
		})
	}
}

// Both ends call each other from many goroutines, with payloads of all sizes and deadlines that sometimes pass.
func TestBothEndsAtFullTilt(t *testing.T) {
	const workers, calls = 8, 60
	sum := func(p string) string { s := sha256.Sum256([]byte(p)); return hex.EncodeToString(s[:]) }
	handler := func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
		p := req.Message.Payload.Text()
		return ipc.JSONData(map[string]string{"payload": p, "sum": sum(p)})
	}
	eachTransport(t, func(t *testing.T, a, b io.ReadWriteCloser) {
		opts := &ipc.Options{Handler: handler, MaxQueued: 64 << 10, Direct: true}
		var settled, succeeded atomic.Int64
		wrong := make(chan string, 2*workers*calls)
		var work sync.WaitGroup
		call := func(c *conn, random *rand.Rand) {
			p := ipc.PayloadText(fmt.Sprintf("%0*d", random.IntN(1<<random.IntN(16)), random.Uint64()))
			ctx, cancel := context.Background(), func() {}
			if random.IntN(4) == 0 {
				ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(2000))*time.Microsecond)
			}
			defer cancel()
			data, err := c.Call(ctx, &ipc.Envelope{Type: ipc.TypeHandle, Message: &ipc.Message{Payload: p}}, &watch{settled: func(ipc.Settlement) { settled.Add(1) }})
			if err != nil {
				if code := err.(*ipc.Error).Code; code != ipc.CodeTimeout && code != ipc.CodeTTLExpired {
					wrong <- err.Error()
				}
				return
			}
			succeeded.Add(1)
			var answer struct{ Payload, Sum string }
			if json.Unmarshal(data.JSON(), &answer) != nil || answer.Payload != p.Text() || answer.Sum != sum(p.Text()) {
				wrong <- "an answer is not that of its call"
			}
		}
		var ends []*conn
		for _, rw := range []io.ReadWriteCloser{a, b} {
			c := start(t, rw, opts)
			c.Enable([]string{ipc.ExtCancel}, 0)
			ends = append(ends, c)
		}
		for i, c := range ends {
			for w := range workers {
				work.Go(func() {
					random := rand.New(rand.NewPCG(uint64(i), uint64(w)))
					for range calls {
						call(c, random)
					}
				})
			}
		}
		work.Wait()
		for _, c := range ends {
			_, err := c.Call(t.Context(), handle(0), nil)
			require.NoError(t, err)
		}
		for _, c := range ends {
			c.Drain()
		}
		for _, c := range ends {
			_ = c.end()
			require.Zero(t, c.Stats().Open)
		}
		close(wrong)
		for text := range wrong {
			require.Fail(t, text)
		}
		require.EqualValues(t, 2*workers*calls, settled.Load())
		require.Greater(t, succeeded.Load(), int64(workers*calls))
	})
}
