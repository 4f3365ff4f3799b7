package host

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/manifest"
)

// durableNews is the subject on which a host says that the durable subscriptions have changed. It does not say how: news may
// overtake each other on their way from different hosts, and the engine's list is always right.
const durableNews = "ixt.durable"

const (
	interestTime = 10 * time.Second // how long the list is believed without news; what is made by other means than ixt is seen by then
	newsBuffer   = 1024             // one is enough to doubt the list; the client complains of what finds no room
)

// interest is what the durable subscriptions of all hosts wait for: the engine's list of them, which holds until there is news.
//
// All methods are safe for concurrent use.
type interest struct {
	news chan *nats.Msg // filled as the connection is read, so that an answer read from it comes after the news before it
	turn chan struct{}  // holds one while somebody looks: that may take a round trip, and whoever waits for it may give up

	// Of whoever has the turn.
	told       *nats.Subscription // to the news; nil: not yet
	subjects   []string           // that are waited for, with wildcards
	until      time.Time          // when they are doubted
	reconnects uint64             // of the connection by which they were read: what came in between is unknown
}

func newInterest() *interest {
	return &interest{news: make(chan *nats.Msg, newsBuffer), turn: make(chan struct{}, 1)}
}

// in reports whether a durable subscription waits for what is sent to subject.
func (i *interest) in(ctx context.Context, conn *nats.Conn, js jetstream.JetStream, subject string) (bool, error) {
	select {
	case i.turn <- struct{}{}:
		defer func() { <-i.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if len(i.news) > 0 || conn.Stats().Reconnects != i.reconnects || !time.Now().Before(i.until) {
		if err := i.read(ctx, conn, js); err != nil {
			return false, explain(err, "asking the engine for the durable subscriptions", false)
		}
	}
	for _, pattern := range i.subjects {
		if manifest.Match(pattern, subject) {
			return true, nil
		}
	}
	return false, nil
}

// read asks the engine. What changes meanwhile is news for the next who looks.
func (i *interest) read(ctx context.Context, conn *nats.Conn, js jetstream.JetStream) (err error) {
	i.until = time.Time{}
	if i.told == nil {
		if i.told, err = conn.ChanSubscribe(durableNews, i.news); err != nil {
			return err
		}
	}
	for len(i.news) > 0 {
		<-i.news
	}
	i.reconnects = conn.Stats().Reconnects
	asked := time.Now()
	subjects, complete, err := waitedFor(ctx, js)
	if err != nil {
		return err
	}
	i.subjects, i.until = subjects, asked.Add(interestTime)
	if !complete {
		i.subjects, i.until = []string{">"}, asked.Add(retryAfter)
	}
	return nil
}

// doubt makes the next who looks ask the engine.
func (i *interest) doubt() {
	select {
	case i.news <- nil:
	default: // there is news enough
	}
}

// announce returns when the engine's server has told every host connected to it that the durable subscriptions have changed.
func announce(ctx context.Context, conn *nats.Conn) error {
	_, err := deliver(ctx, conn, nats.NewMsg(durableNews))
	return err
}

// waitedFor are the subjects that the stream's consumers wait for. It is not complete if a server of a cluster that knows some of
// them is away.
func waitedFor(ctx context.Context, js jetstream.JetStream) (subjects []string, complete bool, err error) {
	stream, err := js.Stream(ctx, eventStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	found := 0
	list := stream.ListConsumers(ctx)
	for consumer := range list.Info() {
		found++
		switch config := consumer.Config; {
		case config.FilterSubject != "":
			subjects = append(subjects, config.FilterSubject)
		case len(config.FilterSubjects) > 0:
			subjects = append(subjects, config.FilterSubjects...)
		default:
			subjects = append(subjects, ">")
		}
	}
	if err = list.Err(); errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, true, nil
	}
	return subjects, found >= stream.CachedInfo().State.Consumers, err
}
