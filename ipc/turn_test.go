package ipc_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// lone makes so many calls one after the other that whoever calls next reads the answer itself.
func (c *conn) lone(t *testing.T) {
	for range 20 {
		_, err := c.Call(t.Context(), topic("quick"), nil)
		require.NoError(t, err)
	}
}

// slowly waits longer than anybody who reads is kept.
func slowly(ctx context.Context) {
	wait(ctx, 6*time.Millisecond)
}

// A caller who reads for itself comes back for every reason that ends a call.
func TestCallersWhoReadComeBack(t *testing.T) {
	ends := make(chan *conn, 1)
	host, module := directly(t, func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
		switch req.Message.Topic {
		case "hold":
			<-ctx.Done()
			return ipc.Data{}, ctx.Err()
		case "slow":
			slowly(ctx)
		case "leave":
			module := <-ends
			module.Close()
		}
		return ipc.Data{}, nil
	})
	ends <- module
	for range 3 {
		host.lone(t)
		ctx, cancel := context.WithCancel(t.Context())
		call := host.begin(ctx, topic("hold"))
		waitForID(call)
		cancel()
		_, err := call.wait()
		requireError(t, err, ipc.CodeCancelled, ipc.Unknown)

		host.lone(t)
		ctx, cancel = context.WithTimeout(t.Context(), 3*time.Millisecond)
		_, err = host.Call(ctx, topic("hold"), nil)
		cancel()
		require.Error(t, err)

		host.lone(t)
		limited := &inParts{Context: t.Context(), t: t, limit: time.Now().Add(3 * time.Millisecond)}
		_, err = host.Call(limited, topic("hold"), nil)
		require.Error(t, err)

		host.lone(t)
		_, err = host.Call(t.Context(), topic("slow"), nil)
		require.NoError(t, err)
	}
	host.lone(t)
	_, err := host.Call(t.Context(), topic("leave"), nil)
	require.Error(t, err)
	<-host.returned
}

// waitForID waits until a call has been written.
func waitForID(p *pending) {
	for p.id.Load() == 0 {
		select {
		case <-p.done:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// When nobody reads after a lone call, what the peer wants is read all the same, and so is its end.
func TestWhatComesAfterALoneCallIsRead(t *testing.T) {
	asked := make(chan string, 1)
	a, b := unixSockets(t)
	host := start(t, a, &ipc.Options{Handler: func(_ context.Context, req *ipc.Envelope) (ipc.Data, error) {
		asked <- req.Method
		return ipc.Data{}, nil
	}})
	module := start(t, b, &ipc.Options{Direct: true, Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) { return ipc.Data{}, nil }})
	for range 3 {
		host.lone(t)
		_, err := module.Service(t.Context(), ipc.ServiceRequest{Service: "kv", Method: "get"})
		require.NoError(t, err)
		require.Equal(t, "get", <-asked)
	}
	host.lone(t)
	module.Close()
	<-host.returned
}

// Whatever both ends ask each other at once, alone or in crowds, quickly or slowly, every call gets its own answer.
func TestTurnsUnderLoad(t *testing.T) {
	a, b := unixSockets(t)
	var host, module *conn
	serve := func(end **conn, ready chan struct{}) ipc.Handler {
		return func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
			<-ready
			var depth, n int
			if _, err := fmt.Sscanf(req.Message.Topic, "%d %d", &depth, &n); err != nil {
				return ipc.Data{}, err
			}
			if n%501 == 0 {
				slowly(ctx)
			}
			if depth == 0 {
				return ipc.PayloadData(fmt.Appendf(nil, "%d", n)), nil
			}
			return (*end).Call(ctx, topic(fmt.Sprintf("%d %d", depth-1, n)), nil)
		}
	}
	ready := make(chan struct{})
	host = start(t, a, &ipc.Options{Handler: serve(&host, ready)})
	module = start(t, b, &ipc.Options{Handler: serve(&module, ready), Direct: true})
	close(ready)
	var callers sync.WaitGroup
	for _, end := range []*conn{host, module} {
		for caller := range 16 {
			callers.Go(func() {
				random := rand.New(rand.NewPCG(uint64(caller), 7))
				for n := range 200 {
					depth, n := random.IntN(4), caller*1000+n+1
					data, err := end.Call(t.Context(), topic(fmt.Sprintf("%d %d", depth, n)), nil)
					if !assertPayload(t, data, err, fmt.Sprint(n)) {
						return
					}
					if caller > 0 && n%40 == 0 { // leave the first alone for a while
						slowly(t.Context())
					}
				}
			})
		}
	}
	callers.Wait()
}

func assertPayload(t *testing.T, data ipc.Data, err error, want string) bool {
	got, _ := data.Payload()
	if err != nil || string(got) != want {
		t.Errorf("wanted %s, got %q, %v", want, got, err)
		return false
	}
	return true
}

// One answer that comes slowly is one reason to give up, however often that is looked at.
func TestASlowAnswerCountsOnce(t *testing.T) {
	a, b := unixSockets(t)
	host := start(t, a, nil)
	p := &peer{t, b}
	answer := func() []byte {
		return frame(fmt.Sprintf(`{"type":"response","id":%d,"status":"success"}`, p.envelope().ID))
	}
	for range 20 {
		call := host.begin(t.Context(), handle(1))
		_, err := b.Write(answer())
		require.NoError(t, err)
		_, err = call.wait()
		require.NoError(t, err)
	}
	call := host.begin(t.Context(), handle(1))
	whole := answer()
	_, err := b.Write(whole[:10])
	require.NoError(t, err)
	for range 10 {
		slowly(t.Context())
	}
	_, err = b.Write(whole[10:])
	require.NoError(t, err)
	_, err = call.wait()
	require.NoError(t, err)
	require.LessOrEqual(t, host.Pause(), time.Second)
}
