package host

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

// provides reports whether another node offers a topic. While the server cannot be reached it is what was known last, so that a call
// hears of that; but for topics that a module here may provide yet.
func (c *cluster) provides(topic, node string) bool {
	if _, err := c.current(); err != nil && node == "" && c.declares(topic) {
		return false
	}
	return len(c.roster.offering(c.node, topic, node, "")) > 0
}

// declares reports whether a module of this supervisor has the topic, ready or not.
func (c *cluster) declares(topic string) bool {
	return slices.ContainsFunc(c.site.Modules, func(m *manifest.Module) bool {
		_, ok := m.Services[topic]
		return ok
	})
}

// call sends a call to one of the nodes that offer its topic, and to the next if that one turns out not to take it. One that had it
// and is gone, or says nothing, is replaced by the next if handling the call twice does no harm. The error is an *ipc.Error.
func (c *cluster) call(ctx context.Context, rc supervisor.RemoteCall) (ipc.Data, error) {
	rc.Context.Attempt = max(rc.Context.Attempt, 1)
	first := rc.Context.Attempt
	last := ipc.Refuse(ipc.CodeNoProvider, "no other node offers %s; `ixt ps --all` shows the nodes", rc.Message.Topic)
	var tried []string
	for again := true; again; {
		to := c.choose(rc, tried)
		if to == nil {
			break
		}
		tried = append(tried, to.ID)
		answer, err := c.callNode(ctx, to, rc)
		if err == nil {
			if last = errorOf(answer, to.Node); last == nil {
				return ipc.ObjectData(answer.Data), nil
			}
			again = refused(last)
			continue
		}
		last = ipc.AsError(err, ipc.CodeUnavailable)
		again = refused(last)
		offer := to.Topics[rc.Message.Topic]
		if last.Outcome == ipc.Unknown && offer.Idempotent && rc.Context.Attempt < offer.Attempts && ctx.Err() == nil {
			rc.Context.Attempt++
			again = true
		}
	}
	if rc.Context.Attempt > first && last.Outcome == ipc.NotDelivered {
		e := *last
		e.Outcome = ipc.Unknown // an earlier attempt was delivered
		last = &e
	}
	return ipc.Data{}, last
}

// refused reports whether a node has nobody for the call who has seen it.
func refused(e *ipc.Error) bool {
	return e.Outcome == ipc.NotDelivered && (e.Code == ipc.CodeUnavailable || e.Code == ipc.CodeNoProvider)
}

// callNode sends the call to one node; its answer may be an error.
func (c *cluster) callNode(ctx context.Context, to *member, rc supervisor.RemoteCall) (*nats.Msg, error) {
	m, err := encodeCall(rc)
	if err != nil {
		e := *ipc.AsError(err, ipc.CodeInvalidInput)
		e.Outcome, e.Origin = ipc.NotDelivered, ipc.Supervisor
		return nil, &e
	}
	m.Subject = nodeSubject + to.Node + topicSubject + rc.Message.Topic
	return c.ask(ctx, to, m)
}

// choose picks one of those that may get the call, by chance; nil if there is none but those tried.
func (c *cluster) choose(rc supervisor.RemoteCall, tried []string) *member {
	offering := slices.DeleteFunc(c.roster.offering(c.node, rc.Message.Topic, rc.Node, rc.Target), func(m *member) bool {
		return slices.Contains(tried, m.ID)
	})
	if len(offering) == 0 {
		return nil
	}
	return offering[rand.IntN(len(offering))]
}
