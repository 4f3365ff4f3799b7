package host

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// plain is the source of a subscription that is not durable: what comes waits in a ring.
type plain struct {
	*subscription
	events   *events
	failures *throttle // of the handler
	sub      *nats.Subscription

	mu      sync.Mutex
	waiting *ring

	seen int    // of the processes on the seat; the running goroutine's own
	last uint64 // the number of the event handed over last
}

func (p *plain) open(ctx context.Context) error {
	line, err := p.events.engine.line(ctx)
	if err != nil {
		return err
	}
	conn := line.conn
	subject := eventSubject + p.pattern
	if p.group {
		// A queue of NATS spans subjects; this one is of the pattern alone.
		p.sub, err = conn.QueueSubscribe(subject, p.owner.module+"="+p.pattern, p.gather)
	} else {
		p.sub, err = conn.Subscribe(subject, p.gather)
	}
	if err != nil {
		return err
	}
	if err != nil || !conn.IsConnected() { // then it stands when the server is there
		return err
	}
	if err = conn.FlushWithContext(ctx); err != nil && conn.IsConnected() { // what is published after the answer is gathered
		p.close()
		return err
	}
	return nil
}

func (p *plain) close()                     { _ = p.sub.Unsubscribe() } // which fails only with the connection
func (p *plain) drop(context.Context) error { return nil }

func (p *plain) resize(buffer int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting.resize(buffer)
}

// gather never waits: NATS would drop events, and nobody would know which.
func (p *plain) gather(m *nats.Msg) {
	p.mu.Lock()
	p.waiting.push(m)
	p.mu.Unlock()
	p.seat.ring()
}

func (p *plain) run() {
	for {
		caller, process := p.seat.sitting()
		if process > 0 {
			p.greet(process)
			if p.deliver(caller) {
				continue
			}
		}
		select {
		case <-p.seat.wake:
		case <-p.ended.Done():
			return
		}
	}
}

// greet notes that a process has taken the place of another.
func (p *plain) greet(process int) {
	if p.seen != 0 && p.seen != process {
		p.mu.Lock()
		waited := p.waiting.len()
		p.mu.Unlock()
		p.restored(uint64(waited))
	}
	p.seen = process
}

// deliver hands over the oldest waiting event and reports whether there was one.
func (p *plain) deliver(caller supervisor.Caller) bool {
	p.mu.Lock()
	m, number := p.waiting.pop()
	p.mu.Unlock()
	if m == nil || p.ended.Err() != nil {
		return false
	}
	event := delivered(m, strings.TrimPrefix(m.Subject, eventSubject), 1)
	event.Delivery = ipc.Delivery{Subscription: p.name, Seq: number, Lost: number - p.last - 1}
	err := caller.Deliver(p.events.life, event) // the end of the process ends it, too
	if p.undelivered(caller, err) {
		p.mu.Lock()
		p.waiting.unpop(m, number)
		p.mu.Unlock()
		return true
	}
	p.last = number
	p.counts.end(err)
	if ipc.IsFromModule(err) {
		p.failures.note(fmt.Sprintf("%s: handling an event on %s failed: %v", p.name, event.Message.Topic, err))
	}
	return true
}
