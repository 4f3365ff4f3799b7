package host

import (
	"context"
	"maps"
	"sync"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// requests counts what was asked of the services. It is safe for concurrent use.
type requests struct {
	mu     sync.Mutex
	n      map[request]uint64
	events map[string]uint64 // published, by module
}

// request is how a request ended. There are no more of them than the services have methods and codes.
type request struct {
	service, method string
	outcome         ipc.Outcome // ipc.Done: with a result
	code            string      // "" with a result
}

func newRequests() *requests {
	return &requests{n: map[request]uint64{}, events: map[string]uint64{}}
}

// counted is a service whose requests are counted.
type counted struct {
	supervisor.Service
	by *requests
}

func (c counted) Call(ctx context.Context, caller supervisor.Caller, method string, params ipc.Data) (ipc.Data, error) {
	result, err := c.Service.Call(ctx, caller, method, params)
	r := request{service: c.Name(), method: method, outcome: ipc.Done}
	if !methods[method] {
		r.method = "other"
	}
	if err != nil {
		e := ipc.AsError(err, ipc.CodeHandlerError)
		r.outcome, r.code = e.Outcome, e.Code
	}
	c.by.count(r, caller.Module.Name)
	return result, err
}

func (rs *requests) count(r request, module string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.n[r]++
	if r.method == ipc.MethodPublish && r.code == "" {
		rs.events[module]++
	}
}

func (rs *requests) counts() map[request]uint64 {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return maps.Clone(rs.n)
}

func (rs *requests) published() map[string]uint64 {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return maps.Clone(rs.events)
}
