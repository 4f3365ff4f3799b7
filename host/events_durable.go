package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

const (
	handleTime  = 30 * time.Second // how long the handling of an event may take
	ackWait     = 5 * time.Second  // after which the engine gives an event to somebody else, unless it hears that it is being handled
	maxAttempts = 5                // at handling one event
	maxBackoff  = 30 * time.Second
	pullTime    = 5 * time.Second // how long one request for the next event lasts; a connection that came back is noticed by then
)

// durable is the source of a durable subscription: the engine keeps its events and how far they are handled, as a consumer of
// the stream. One is taken at a time, so that what waits is there for the other instances of a group.
type durable struct {
	*subscription
	events   *events
	failures *throttle // of the handler
	from     string

	// The running goroutine's own, once it runs.
	consumer jetstream.Consumer // nil: not known to be there
	seen     int                // of the processes on the seat
	count    uint64             // of the events handed over
}

// consumerName is made of what has no "=" in it: the module, the subscription's name, and the instance if it is not shared.
func (d *durable) consumerName() string {
	name := d.owner.module + "=" + d.durable
	if !d.group {
		name += fmt.Sprintf("=%03d", d.owner.number)
	}
	return name
}

// open returns when the subscription stands, or the server is away: then it does soon after that is back.
func (d *durable) open(ctx context.Context) error {
	err := d.establish(ctx)
	if line, _ := d.events.engine.line(ctx); err != nil && line != nil && !line.conn.IsConnected() {
		return nil
	}
	return err
}

// establish returns when every host at the same server knows what the subscription waits for. One that is there already is
// announced, too: whoever made it may not have lived to do so.
func (d *durable) establish(ctx context.Context) error {
	conn, js, err := d.events.engine.use(ctx)
	if err != nil {
		return err
	}
	if err = needStream(ctx, js); err != nil {
		return err
	}
	if err = d.find(ctx, js); err != nil {
		return err
	}
	if err = d.events.engine.settle(ctx, eventStream); err != nil {
		return err
	}
	return announce(ctx, conn)
}

// find resumes the subscription where it stopped, or makes a new one.
func (d *durable) find(ctx context.Context, js jetstream.JetStream) error {
	subject := keptSubject + d.pattern
	found, err := js.Consumer(ctx, eventStream, d.consumerName())
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		config := jetstream.ConsumerConfig{
			Durable:       d.consumerName(),
			FilterSubject: subject,
			DeliverPolicy: jetstream.DeliverNewPolicy,
			AckPolicy:     jetstream.AckExplicitPolicy,
			AckWait:       ackWait,
			MaxDeliver:    -1, // the one who gives up is the one who notes it
		}
		if d.from == ipc.FromKept {
			config.DeliverPolicy = jetstream.DeliverAllPolicy
		}
		d.consumer, err = js.CreateConsumer(ctx, eventStream, config)
		if !errors.Is(err, jetstream.ErrConsumerExists) {
			return err
		}
		found, err = js.Consumer(ctx, eventStream, d.consumerName()) // another instance of the group was faster
	}
	if err != nil {
		return err
	}
	d.consumer = found
	if config := found.CachedInfo().Config; config.FilterSubject != subject { // the module's new version wants something else
		config.FilterSubject = subject
		d.consumer, err = js.UpdateConsumer(ctx, eventStream, config)
	}
	return err
}

func (d *durable) close()     {}
func (d *durable) resize(int) {}

func (d *durable) drop(ctx context.Context) error {
	conn, js, err := d.events.engine.use(ctx)
	if err != nil {
		return err
	}
	err = js.DeleteConsumer(ctx, eventStream, d.consumerName())
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	_ = announce(ctx, conn) // whoever does not hear it sends some events to the stream in vain
	return nil
}

func (d *durable) run() {
	for {
		if caller, process := d.seat.sitting(); process > 0 {
			d.serve(caller, process)
		}
		select {
		case <-d.seat.wake:
		case <-d.ended.Done():
			return
		}
	}
}

// serve delivers until the process is gone.
func (d *durable) serve(caller supervisor.Caller, process int) {
	ctx, cancel := context.WithCancel(d.ended)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-caller.Gone():
			cancel()
		case <-ctx.Done():
		}
	}()
	defer func() {
		cancel()
		<-watched
	}()
	d.greet(ctx, process)
	for ctx.Err() == nil && !isGone(caller) { // ctx ends a moment later, and what is fetched meanwhile comes back late
		m, err := d.next(ctx)
		switch {
		case m != nil && ctx.Err() == nil:
			d.deliver(caller, m)
		case m != nil:
			_ = m.Nak() // for the next process, or another instance
		case err != nil && ctx.Err() == nil:
			rest(ctx)
		}
	}
}

// rest is the pause before what failed is tried again.
func rest(ctx context.Context) {
	timer := time.NewTimer(retryAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// greet notes that a process has taken the place of another, if the engine can say what waited for it.
func (d *durable) greet(ctx context.Context, process int) {
	if d.seen != 0 && d.seen != process && d.consumer != nil {
		ctx, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		if info, err := d.consumer.Info(ctx); err == nil {
			d.restored(unhandled(info))
		}
	}
	d.seen = process
}

// next waits for an event, for pullTime at most; nil is none.
func (d *durable) next(ctx context.Context) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, pullTime)
	defer cancel()
	if d.consumer == nil {
		if err := d.establish(ctx); err != nil {
			return nil, err
		}
	} else if _, _, err := d.events.engine.use(ctx); err != nil {
		return nil, err
	}
	batch, err := d.consumer.Fetch(1, jetstream.FetchContext(ctx))
	if err != nil {
		return nil, err
	}
	if m := <-batch.Messages(); m != nil {
		return m, nil
	}
	err = batch.Error()
	switch {
	case ctx.Err() != nil, errors.Is(err, nats.ErrTimeout), errors.Is(err, jetstream.ErrNoMessages):
		return nil, nil
	case err != nil:
		d.consumer = nil // it may be that somebody took it away
	}
	return nil, err
}

// deliver hands over an event and tells the engine what became of it. The engine gives it to nobody else meanwhile.
func (d *durable) deliver(caller supervisor.Caller, m jetstream.Msg) {
	attempt := 1
	if meta, err := m.Metadata(); err == nil {
		attempt = int(meta.NumDelivered)
	}
	event := delivered(&nats.Msg{Header: m.Headers(), Data: m.Data()}, strings.TrimPrefix(m.Subject(), keptSubject), attempt)
	if attempt > maxAttempts { // the last of them got no answer
		d.giveUp(m, &event, errors.New("it was not answered"))
		return
	}
	d.count++
	event.Delivery = ipc.Delivery{Subscription: d.name, Seq: d.count}
	ctx, cancel := context.WithTimeout(d.events.life, handleTime)
	defer cancel()
	working := keepWorking(m)
	err := caller.Deliver(ctx, event)
	working()
	switch {
	case err == nil:
		d.counts.end(nil)
		_ = m.Ack() // lost with the connection it comes again, as it would with the host
	case d.undelivered(caller, err):
		_ = m.Nak()
	case attempt == maxAttempts:
		d.counts.end(err)
		d.giveUp(m, &event, err)
	default:
		d.counts.end(err)
		_ = m.NakWithDelay(backoff(attempt))
		d.failures.note(fmt.Sprintf("%s: handling an event on %s failed, attempt %d of %d: %v", d.name, event.Message.Topic, attempt, maxAttempts, err))
	}
}

// keepWorking tells the engine again and again that an event is being handled, until the function it returns is called.
func keepWorking(m jetstream.Msg) (enough func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(ackWait / 3)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = m.InProgress()
			case <-over:
				return
			}
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}

// backoff is how long a failed event rests after an attempt.
func backoff(attempt int) time.Duration {
	return min(time.Second<<(attempt-1), maxBackoff)
}

// giveUp ends an event that cannot be handled.
func (d *durable) giveUp(m jetstream.Msg, event *ipc.Event, why error) {
	_ = m.TermWithReason("given up")
	d.counts.giveUp()
	d.note(supervisor.Entry{
		Kind: supervisor.KindWarning, Module: d.owner.module, Instance: d.owner.number,
		Topic: event.Message.Topic, TraceID: event.Context.TraceID,
		Text: fmt.Sprintf("%s: an event of %s was given up after %d attempts: %v", d.name, event.Context.SourceModule, maxAttempts, why),
	})
}
