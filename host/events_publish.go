package host

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

// publish returns when the engine has the event, and has stored it if a durable subscription waits for it.
func (s *events) publish(ctx context.Context, caller supervisor.Caller, p ipc.Publication) error {
	if strings.ContainsAny(p.Topic, "*>") {
		return ipc.Refuse(ipc.CodeInvalidInput, "topic %.80q has a wildcard: an event has one topic, write that; wildcards are for who subscribes", p.Topic)
	}
	if err := manifest.CheckTopic(p.Topic, false); err != nil {
		return ipc.Refuse(ipc.CodeInvalidInput, "%v", err)
	}
	if err := caller.Deny(caller.Module.Publishes(p.Topic), "publish on "+p.Topic, "provides", "events", caller.Module.Provides.Events, p.Topic); err != nil {
		return err
	}
	data, err := decodeChunk(p.Payload, "an event", "put it into a blob and publish its name")
	if err != nil {
		return err
	}
	header := nats.Header{}
	header.Set(headerSource, caller.Source())
	header.Set(headerTrace, traceOf(caller))
	header.Set(headerTime, strconv.FormatInt(time.Now().Unix(), 10))
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return s.send(ctx, p.Topic, header, data)
}

// send stores an event that a durable subscription waits for, and lets the others have it only then: what is refused has reached
// nobody. An event that nobody seemed to wait for is looked at again when the engine has it. By then there is news of every
// durable subscription that was answered before, since what one server sends comes in order.
func (s *events) send(ctx context.Context, topic string, header nats.Header, data []byte) error {
	what := "publishing on " + topic
	conn, js, err := s.engine.use(ctx)
	if err != nil {
		return explain(err, what, true)
	}
	kept := &nats.Msg{Subject: keptSubject + topic, Header: header, Data: data}
	stored, err := s.keep(ctx, conn, js, kept)
	if err != nil {
		return explain(err, what, true)
	}
	sent, err := deliver(ctx, conn, &nats.Msg{Subject: eventSubject + topic, Header: header, Data: data})
	if !sent && !stored {
		return explain(err, what, true)
	}
	if err == nil && !stored {
		_, err = s.keep(ctx, conn, js, kept)
	}
	if err != nil {
		return unsure(err, what)
	}
	return nil
}

// deliver publishes a message and returns when the server has it. It is not sent if the server surely will not have it.
func deliver(ctx context.Context, conn *nats.Conn, m *nats.Msg) (sent bool, err error) {
	connections := conn.Stats().Reconnects
	if err := conn.PublishMsg(m); err != nil {
		return false, tooLarge(conn, err)
	}
	if err := conn.FlushWithContext(ctx); err != nil {
		return true, err
	}
	if conn.Stats().Reconnects != connections {
		return true, nats.ErrDisconnected // a later connection has answered the flush, which knows nothing of the message
	}
	return true, nil
}

// keep stores an event if a durable subscription waits for it, and reports whether one does.
func (s *events) keep(ctx context.Context, conn *nats.Conn, js jetstream.JetStream, m *nats.Msg) (bool, error) {
	for again := true; ; again = false {
		wanted, err := s.interest.in(ctx, conn, js, m.Subject)
		if !wanted || err != nil {
			return false, err
		}
		_, err = js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
		if err == nil {
			err = s.engine.settle(ctx, eventStream)
		}
		if !again || !noStream(err) {
			return err == nil, tooLarge(conn, err)
		}
		s.interest.doubt() // somebody has taken the stream away, and with it those who waited
	}
}

// unsure explains an error after which some may have the event.
func unsure(err error, what string) *ipc.Error {
	e := explain(err, what, true)
	e.Outcome = ipc.Unknown
	if e.Code == ipc.CodeUnavailable {
		e.Code = ipc.CodeTimeout
	}
	return e
}

func traceOf(caller supervisor.Caller) string {
	if caller.TraceID != "" {
		return caller.TraceID
	}
	return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
}
