package supervisor

import (
	"context"
	"sync"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// Guest asks services from outside, with every right and in nobody's name: for a person at the command line, or the program that
// embeds the supervisor. What a service keeps for it, such as subscriptions, ends with it. It is safe for concurrent use.
type Guest struct {
	s      *Supervisor
	caller Caller
	gone   chan struct{}
	mu     sync.Mutex // held while an event is taken
	take   func(ipc.Event) error
}

// firstGuest is the number of the first guest, above those of all instances: what is kept for one of them is kept for it alone.
const firstGuest = 1000

// Guest lets somebody in; Close it. take gets the events of its subscriptions, one after the other; an error says that it
// could not be handled. It may be nil if there are no subscriptions.
func (s *Supervisor) Guest(take func(ipc.Event) error) *Guest {
	g := &Guest{s: s, take: take, gone: make(chan struct{})}
	id := ipc.ModuleID{Name: fromHost, Version: "0.0.0", Instance: firstGuest + int(s.guests.Add(1))}
	g.caller = Caller{ID: id, Module: &manifest.Module{Name: fromHost, Version: id.Version}, reach: g, open: true}
	return g
}

// Ask asks a service: docs/host-services.md. The error is always an *ipc.Error with Code, Outcome and Origin.
func (g *Guest) Ask(ctx context.Context, service, method string, params ipc.Data) (ipc.Data, error) {
	if err := g.s.awaitUp(ctx); err != nil {
		return ipc.Data{}, err
	}
	return g.s.use(ctx, g.caller, service, method, params)
}

// Close ends what services keep for the guest, and returns when no event is being taken any more.
func (g *Guest) Close() {
	close(g.gone)
	g.s.retire(g.caller.ID)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.take = nil
}

// Event hands over one event after the other, whatever their subscriptions. It is the supervisor's side of a guest.
func (g *Guest) Event(_ context.Context, e ipc.Event) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.take == nil {
		return ipc.Errorf(ipc.CodeUnavailable, "whoever subscribed is not there any more")
	}
	return g.take(e)
}

// Done is closed when the guest has gone.
func (g *Guest) Done() <-chan struct{} { return g.gone }

// Attend asks a service for a subscription, and hands what comes to take, one event after the other, until ctx ends, the
// supervisor stops, or take or begun fail with an error, which it returns. begun is called once the subscription stands and before
// the first event. The subscription ends with Attend.
func (s *Supervisor) Attend(ctx context.Context, service, method string, params ipc.Data, begun func() error, take func(ipc.Event) error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	g := s.Guest(func(e ipc.Event) error {
		err := take(e)
		if err != nil {
			end(err)
		}
		return err
	})
	defer g.Close()
	if err := g.begin(ctx, service, method, params, begun); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.ending:
		return nil
	}
}

// begin keeps events waiting until begun has returned.
func (g *Guest) begin(ctx context.Context, service, method string, params ipc.Data, begun func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, err := g.Ask(ctx, service, method, params); err != nil {
		return err
	}
	return begun()
}
