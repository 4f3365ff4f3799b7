package host

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nuid"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// The limits of uploads and downloads.
const (
	maxTransfers = 16              // of an instance
	maxIdle      = 5 * time.Minute // between two requests of one
)

// transfers are the uploads and downloads that processes have open. Each process that has some has a goroutine that ends them with it, or when they are idle.
//
// Methods are safe for concurrent use.
type transfers struct {
	idle    time.Duration
	running sync.WaitGroup
	closing chan struct{}

	mu     sync.Mutex
	closed bool
	of     map[<-chan struct{}]map[string]*transfer // by the process's Gone
}

// transfer is an upload or a download. Whoever holds its turn owns it.
type transfer struct {
	id       string
	up       *upload
	down     *download
	turn     chan struct{} // has something while nobody has the turn
	lastUsed time.Time     // guarded by transfers.mu
}

func newTransfers() *transfers {
	return &transfers{idle: maxIdle, closing: make(chan struct{}), of: map[<-chan struct{}]map[string]*transfer{}}
}

// begin registers a transfer, which the caller goes on to own until it calls yield or end.
func (ts *transfers) begin(caller supervisor.Caller, up *upload, down *download) (*transfer, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	of := ts.of[caller.Gone()]
	switch {
	case ts.closed:
		return nil, errClosed
	case len(of) >= maxTransfers:
		return nil, ipc.Refuse(ipc.CodeBusy, "this instance has %d uploads and downloads open, which is the limit; bring some to their end", len(of))
	case of == nil:
		of = map[string]*transfer{}
		ts.of[caller.Gone()] = of
		ts.running.Go(func() { ts.guard(caller.Gone()) })
	}
	t := &transfer{id: nuid.Next(), up: up, down: down, turn: make(chan struct{}, 1), lastUsed: time.Now()}
	of[t.id] = t
	return t, nil
}

// take returns a transfer of the caller's when it is nobody else's turn.
func (ts *transfers) take(ctx context.Context, caller supervisor.Caller, id string) (*transfer, error) {
	ts.mu.Lock()
	t := ts.of[caller.Gone()][id]
	ts.mu.Unlock()
	if t != nil {
		select {
		case <-t.turn:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		ts.mu.Lock()
		defer ts.mu.Unlock()
		if ts.of[caller.Gone()][id] == t {
			t.lastUsed = time.Now()
			return t, nil
		}
		t.turn <- struct{}{} // for whoever waits, to see the same
	}
	return nil, ipc.Refuse(ipc.CodeNotFound, "there is no upload or download %.40q of this process; one ends after %s in which nothing came, and with an error; begin anew", id, ts.idle)
}

// yield gives the turn back.
func (ts *transfers) yield(t *transfer) {
	ts.mu.Lock()
	t.lastUsed = time.Now()
	ts.mu.Unlock()
	t.turn <- struct{}{}
}

// end forgets a transfer whose turn the caller has, and tidies up.
func (ts *transfers) end(ctx context.Context, caller supervisor.Caller, t *transfer) {
	ts.mu.Lock()
	delete(ts.of[caller.Gone()], t.id)
	ts.mu.Unlock()
	t.discard(ctx)
	t.turn <- struct{}{}
}

// discard tidies up after a transfer, once. The caller has its turn.
func (t *transfer) discard(ctx context.Context) {
	if t.up != nil {
		t.up.discard(ctx)
	}
	if t.down != nil {
		t.down.close()
	}
	t.up, t.down = nil, nil
}

// guard ends the transfers of a process that are idle, and all when the process is gone or the service closes. It returns when there are none.
func (ts *transfers) guard(gone <-chan struct{}) {
	ticker := time.NewTicker(max(ts.idle/8, time.Millisecond))
	defer ticker.Stop()
	for none := false; !none; {
		all := true
		select {
		case <-ticker.C:
			all = false
		case <-gone:
		case <-ts.closing:
		}
		var over []*transfer
		over, none = ts.remove(gone, all)
		for _, t := range over {
			<-t.turn // a request has a bound, and ends with its process
			t.discard(context.Background())
			t.turn <- struct{}{}
		}
	}
}

// remove takes out of a process's transfers those that are idle, or all, and tells whether none are left.
func (ts *transfers) remove(gone <-chan struct{}, all bool) (removed []*transfer, none bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	of := ts.of[gone]
	for id, t := range of {
		if all || time.Since(t.lastUsed) > ts.idle {
			delete(of, id)
			removed = append(removed, t)
		}
	}
	if len(of) == 0 {
		delete(ts.of, gone)
	}
	return removed, len(of) == 0
}

// close ends all transfers. It returns when nothing is left of them.
func (ts *transfers) close() {
	ts.mu.Lock()
	if !ts.closed {
		ts.closed = true
		close(ts.closing)
	}
	ts.mu.Unlock()
	ts.running.Wait()
}
