package ipc_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// passing hands one request over, and its result back.
type passing struct {
	request *ipc.Request
	pending ipc.Pending
	settled chan bool
}

func (p *passing) Written(int64)            {}
func (p *passing) Settled(s ipc.Settlement) { p.settled <- !s.Answered.IsZero() }

func (p *passing) Ended(data ipc.Data, err error, batch *ipc.Batch) {
	p.request.Answer(data, err, batch)
}

// between connects a caller with a module by way of somebody who passes requests on, each with the limit that its service names.
func between(t *testing.T, handler ipc.Handler) (caller *conn, settled chan bool) {
	settled = make(chan bool, 256)
	a, b := unixSockets(t)
	near, module := start(t, a, nil), start(t, b, &ipc.Options{Handler: handler, Direct: true})
	c, d := unixSockets(t)
	host := start(t, c, &ipc.Options{Relay: func(req *ipc.Request, batch *ipc.Batch) bool {
		if req.Service == "mine" {
			return false
		}
		var limit time.Time
		if after, err := time.ParseDuration(req.Method); err == nil {
			limit = time.Now().Add(after)
		}
		p := &passing{request: req, settled: settled}
		payload, _ := req.Params.Payload()
		if err := near.HandleLater(&p.pending, &ipc.Message{Topic: req.Service, Payload: ipc.OwnPayload(payload)}, nil, limit, p, batch); err != nil {
			return false
		}
		req.Bind(&p.pending)
		return true
	}})
	caller = start(t, d, nil)
	for _, end := range []*conn{near, module, host, caller} {
		end.Enable([]string{ipc.ExtCancel, ipc.ExtRaw}, 0)
	}
	return caller, settled
}

func TestRequestsArePassedOn(t *testing.T) {
	began, goOn := make(chan struct{}, 2), make(chan struct{})
	caller, settled := between(t, func(_ context.Context, req *ipc.Envelope) (ipc.Data, error) {
		switch req.Message.Topic {
		case "hold":
			began <- struct{}{}
			<-goOn
			return ipc.Data{}, nil
		case "fail":
			return ipc.Data{}, ipc.Errorf("NOT_TODAY", "no")
		}
		payload, err := req.Message.Payload.Decode()
		return ipc.PayloadData(payload), err
	})
	ask := func(ctx context.Context, service, method, payload string) (ipc.Data, error) {
		return caller.Service(ctx, ipc.ServiceRequest{Service: service, Method: method, Params: ipc.PayloadData([]byte(payload))})
	}

	var callers sync.WaitGroup
	for n := range 32 {
		callers.Go(func() {
			for k := range 50 {
				want := fmt.Sprintf("%d of %d %0*d", k, n, 1+(k*n)%5000, 7) // of all sizes
				data, err := ask(t.Context(), "echo", "", want)
				if !assertPayload(t, data, err, want) || !<-settled {
					return
				}
			}
		})
	}
	callers.Wait()

	_, err := ask(t.Context(), "fail", "", "")
	requireError(t, err, "NOT_TODAY", ipc.Done)
	require.True(t, <-settled)

	_, err = ask(t.Context(), "mine", "", "")
	requireError(t, err, ipc.CodeUnknownType, "")

	_, err = ask(t.Context(), "hold", "500ms", "")
	requireError(t, err, ipc.CodeTimeout, ipc.Unknown)
	<-began

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	_, err = ask(ctx, "hold", "", "")
	requireError(t, err, ipc.CodeCancelled, ipc.Unknown)
	require.Empty(t, settled, "the module owes both answers")
	close(goOn)
	require.True(t, <-settled)
	require.True(t, <-settled)
}

func TestWhatCannotBePassedOnIsNot(t *testing.T) {
	a, b := unixSockets(t)
	near := start(t, a, nil)
	far := &peer{t, b}
	far.close()
	<-near.Done()
	p := &passing{settled: make(chan bool, 1)}
	err := near.HandleLater(&p.pending, &ipc.Message{Topic: "t"}, nil, time.Time{}, p, nil)
	requireError(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
	require.Empty(t, p.settled)
}
