package host

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/manifest"
)

// audience counts what became of events, by who has subscribed to them. It is safe for concurrent use.
type audience struct {
	mu sync.Mutex
	of map[reader]*reception
}

// reader is a module, and the pattern in its [requires] events by which it has subscribed: what a module subscribes to is its own
// choice, as often as it likes, and no name for a metric.
type reader struct{ module, pattern string }

// reception counts the events of a subscription, or of all of one reader. It is safe for concurrent use.
type reception struct {
	handled, failed, dropped, givenUp atomic.Uint64

	of  reader
	sum *reception // its reader's; nil: it is that
}

func newAudience() *audience { return &audience{of: map[reader]*reception{}} }

// reception is what a new subscription counts in.
func (a *audience) reception(m *manifest.Module, pattern string) *reception {
	who := reader{module: m.Name}
	for _, p := range m.Requires.Events {
		if covers([]string{p}, pattern) {
			who.pattern = p
			break
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of[who] == nil {
		a.of[who] = &reception{of: who}
	}
	return &reception{of: who, sum: a.of[who]}
}

func (a *audience) all() map[reader]*reception {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.of)
}

// end counts an event that a handler has had.
func (r *reception) end(err error) {
	for ; r != nil; r = r.sum {
		if err == nil {
			r.handled.Add(1)
		} else {
			r.failed.Add(1)
		}
	}
}

// drop counts an event that gave way to newer ones.
func (r *reception) drop() {
	for ; r != nil; r = r.sum {
		r.dropped.Add(1)
	}
}

// giveUp counts an event that no attempt could handle.
func (r *reception) giveUp() {
	for ; r != nil; r = r.sum {
		r.givenUp.Add(1)
	}
}

// waiting are how many events wait, by who waits for them. What the engine does not say is left out.
func (s *events) waiting(ctx context.Context) map[reader]uint64 {
	subs := s.subscriptions()
	stored := s.stored(ctx, subs)
	out, seen := map[reader]uint64{}, map[string]bool{}
	for _, sub := range subs {
		n, known := sub.waiting(stored)
		if d, is := sub.source.(*durable); is {
			known = known && !seen[d.consumerName()] // instances of a group wait for the same
			seen[d.consumerName()] = true
		}
		if known {
			out[sub.counts.of] += n
		}
	}
	return out
}

// waiting is how many events wait for a subscription; stored is what the engine says of the durable ones.
func (sub *subscription) waiting(stored map[string]uint64) (n uint64, known bool) {
	switch source := sub.source.(type) {
	case *plain:
		source.mu.Lock()
		defer source.mu.Unlock()
		return uint64(source.waiting.len()), true
	case *durable:
		n, known = stored[source.consumerName()]
	}
	return n, known
}

// subscriptions are those that stand, of all instances.
func (s *events) subscriptions() (subs []*subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range s.owners {
		for _, sub := range of {
			select {
			case <-sub.opened:
				subs = append(subs, sub)
			default:
			}
		}
	}
	return subs
}

// stored is how many events the engine keeps for durable subscriptions, by consumer. It is not asked if none of subs is durable, and
// says nothing if it cannot be reached within ctx.
func (s *events) stored(ctx context.Context, subs []*subscription) map[string]uint64 {
	some := false
	for _, sub := range subs {
		some = some || sub.durable != ""
	}
	if !some {
		return nil
	}
	_, js, err := s.engine.use(ctx)
	if err != nil {
		return nil
	}
	stream, err := js.Stream(ctx, eventStream)
	if err != nil {
		return nil
	}
	out := map[string]uint64{}
	list := stream.ListConsumers(ctx)
	for consumer := range list.Info() {
		out[consumer.Name] = unhandled(consumer)
	}
	return out
}

// unhandled is how many events a durable subscription waits for, those that a handler has now among them.
func unhandled(c *jetstream.ConsumerInfo) uint64 { return c.NumPending + uint64(c.NumAckPending) }
