package ipc_test

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// directly connects a host with a module whose reading goroutine serves what comes alone.
func directly(t *testing.T, handler ipc.Handler) (host, module *conn) {
	a, b := unixSockets(t)
	host, module = start(t, a, nil), start(t, b, &ipc.Options{Handler: handler, Direct: true})
	for _, c := range []*conn{host, module} {
		c.Enable([]string{ipc.ExtCancel}, 0)
	}
	return host, module
}

func topic(name string) *ipc.Envelope {
	return &ipc.Envelope{Type: ipc.TypeHandle, Message: &ipc.Message{Topic: name}}
}

// A handler that waits for what only another frame can bring gets it, however it was served.
func TestOneWhoServesDirectlyKeepsNobody(t *testing.T) {
	ends := make(chan *conn, 1)
	came, began := make(chan struct{}, 1), make(chan struct{}, 1)
	host, module := directly(t, func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
		switch req.Message.Topic {
		case "wait":
			<-came
		case "come":
			came <- struct{}{}
		case "cancelled":
			began <- struct{}{}
			<-ctx.Done()
			return ipc.Data{}, ctx.Err()
		case "nested":
			module := <-ends
			ends <- module
			return module.Service(ctx, ipc.ServiceRequest{Service: "kv", Method: "get"})
		case "exit":
			runtime.Goexit()
		}
		return ipc.Data{}, nil
	})
	ends <- module
	for range 20 {
		waits := host.begin(t.Context(), topic("wait"))
		_, err := host.Call(t.Context(), topic("come"), nil)
		require.NoError(t, err)
		_, err = waits.wait()
		require.NoError(t, err)

		ctx, cancel := context.WithCancel(t.Context())
		cancelled := host.begin(ctx, topic("cancelled"))
		<-began
		cancel()
		_, err = cancelled.wait()
		requireError(t, err, ipc.CodeCancelled, ipc.Unknown)

		_, err = host.Call(t.Context(), topic("nested"), nil)
		require.Error(t, err)
		require.Equal(t, ipc.CodeUnknownType, err.(*ipc.Error).Code)

		_, err = host.Call(t.Context(), topic("exit"), nil)
		requireError(t, err, ipc.CodeHandlerError, ipc.Done)
	}
	require.NoError(t, module.AwaitOpen(t.Context(), 0))
}

// Many handlers that wait for each other are all served at once in the end, and quick ones share few workers.
func TestManyServedDirectlyKeepNobody(t *testing.T) {
	const many = 100
	var arrived atomic.Int64
	all := make(chan struct{})
	host, _ := directly(t, func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
		if req.Message.Topic == "gather" {
			if arrived.Add(1) == many {
				close(all)
			}
			<-all
		}
		return ipc.Data{}, nil
	})
	for _, topics := range [][]string{{"quick"}, {"gather", "quick"}} {
		var calls []*pending
		for range many {
			for _, name := range topics {
				calls = append(calls, host.begin(t.Context(), topic(name)))
			}
		}
		for _, call := range calls {
			_, err := call.wait()
			require.NoError(t, err)
		}
	}
}

// What nobody has begun to serve when the connection ends is not open any more.
func TestEndWithRequestsInTheQueue(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	began, goOn := make(chan struct{}, 3), make(chan struct{})
	a, b := unixSockets(t)
	module := start(t, b, &ipc.Options{Direct: true, Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) {
		began <- struct{}{}
		<-goOn
		return ipc.Data{}, nil
	}})
	_, err := a.Write(slices.Concat(frame(request(1)), frame(request(2)), frame(request(3))))
	require.NoError(t, err)
	<-began
	module.Close()
	close(goOn)
	<-module.returned
	require.NoError(t, module.AwaitOpen(t.Context(), 0))
	require.NoError(t, a.Close())
}

// Whoever waits for an answer finds the request settled: what that gives back is there for the next call.
func TestCallReturnsWhenItIsSettled(t *testing.T) {
	host, _ := directly(t, func(context.Context, *ipc.Envelope) (ipc.Data, error) { return ipc.Data{}, nil })
	for range 2000 {
		var settled atomic.Bool
		_, err := host.Call(t.Context(), topic("quick"), &watch{settled: func(ipc.Settlement) { settled.Store(true) }})
		require.NoError(t, err)
		require.True(t, settled.Load())
	}
}

// The end of a connection is noticed while a request is served directly, and Run waits for the handler.
func TestEndWhileServingDirectly(t *testing.T) {
	var returned atomic.Bool
	began := make(chan struct{})
	host, module := directly(t, func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
		close(began)
		<-ctx.Done()
		returned.Store(true)
		return ipc.Data{}, ctx.Err()
	})
	call := host.begin(t.Context(), topic("hold"))
	<-began
	host.Close()
	_, err := call.wait()
	require.Error(t, err)
	<-module.returned
	require.True(t, returned.Load())
}

// An answer that waits for others of its batch does not wait for a handler that blocks.
func TestAnswersAreNotHeldBackByAHandler(t *testing.T) {
	a, b := unixSockets(t)
	answered := make(chan struct{})
	start(t, b, &ipc.Options{Direct: true, Handler: func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
		if req.ID == 1000 {
			select {
			case <-answered:
			case <-ctx.Done():
			}
		}
		return ipc.Data{}, nil
	}})
	p := &peer{t, a}
	for id := range int64(100) { // so that the handler is known to be quick
		p.send(request(id + 1))
		p.receive()
	}
	_, err := a.Write(slices.Concat(frame(request(999)), frame(request(1000))))
	require.NoError(t, err)
	require.EqualValues(t, 999, p.envelope().ID)
	close(answered)
	p.receive()
	p.close()
}
