package host

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// eventStream keeps what durable subscriptions wait for.
const eventStream = "ixt_events"

// The bounds of what is kept; the oldest goes first.
const (
	keptBytes = 256 << 20
	keptTime  = 7 * 24 * time.Hour
)

// needStream makes sure that the stream is there. One that exists stays as its server's administrator has set it up.
func needStream(ctx context.Context, js jetstream.JetStream) error {
	_, err := js.Stream(ctx, eventStream)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name:        eventStream,
		Description: "events that durable subscriptions of ixt modules wait for",
		Subjects:    []string{keptSubject + ">"},
		Retention:   jetstream.InterestPolicy, // an event is kept until every durable subscription to it has handled it
		Discard:     jetstream.DiscardOld,
		MaxAge:      keptTime,
		MaxBytes:    keptBytes,
		Storage:     jetstream.FileStorage,
	})
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil // another host was faster
	}
	return err
}
