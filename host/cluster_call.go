package host

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"strings"

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
// and is gone, or says nothing, is replaced by the next if handling the call twice does no harm; for one that is gone a node that comes
// within the call's time will do, too, and so will this one, if a module here has become ready meanwhile. The error is an *ipc.Error.
func (c *cluster) call(ctx context.Context, rc supervisor.RemoteCall) (ipc.Data, error) {
	rc.Context.Attempt = max(rc.Context.Attempt, 1)
	first := rc.Context.Attempt
	var last *ipc.Error
	var tried []string
	orphaned := false // a node is gone, and another may get it
	absent := ""      // who was not there to take it: it may be cut off only, and back soon
	for again := true; again; {
		news := c.roster.next() // of this node, too
		if last != nil && c.offers(rc) {
			data, err := c.site.Serve(ctx, rc)
			if err == nil {
				return data, nil
			}
			last = ipc.AsError(err, ipc.CodeUnavailable)
			break
		}
		to := c.choose(rc, tried)
		if to == nil && orphaned && c.expects(ctx, news) {
			tried = slices.DeleteFunc(tried, func(id string) bool { return id == absent })
			continue
		}
		if to == nil && last == nil {
			last = c.nobody(rc)
		}
		if to == nil {
			break
		}
		tried = append(tried, to.ID)
		answer, err := c.callNode(ctx, to, rc)
		if err == nil {
			if last = errorOf(answer, to.Node); last == nil {
				return dataOf(answer), nil
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
		if refused(last) {
			absent = to.ID
		}
		orphaned = last.Code == ipc.CodeModuleGone || refused(last)
	}
	if rc.Context.Attempt > first && last.Outcome == ipc.NotDelivered {
		e := *last
		e.Outcome = ipc.Unknown // an earlier attempt was delivered
		last = &e
	}
	return ipc.Data{}, last
}

// offers reports whether a module of this supervisor would take a call that may go to any node.
func (c *cluster) offers(rc supervisor.RemoteCall) bool {
	o, ok := c.exports.offers()[rc.Message.Topic]
	return ok && rc.Node == "" && o.takes(rc.Target)
}

// nobody says of a call that no node can have what there is instead.
func (c *cluster) nobody(rc supervisor.RemoteCall) *ipc.Error {
	topic := rc.Message.Topic
	var nodes, modules []string
	known := false
	for _, m := range c.roster.others(c.node) {
		nodes = append(nodes, m.Node)
		if rc.Node != "" && rc.Node != m.Node {
			continue
		}
		known = true
		for _, id := range m.Topics[topic].Modules {
			modules = append(modules, id+"@"+m.Node)
		}
	}
	switch {
	case len(nodes) == 0:
		return ipc.Refuse(ipc.CodeNoProvider, "there is no other node now that could have %s", topic)
	case !known:
		return ipc.Refuse(ipc.CodeNoProvider, "there is no node %s now; there are %s", rc.Node, strings.Join(nodes, ", "))
	case len(modules) == 0:
		return ipc.Refuse(ipc.CodeNoProvider, "no module offers %s now on %s; only topics with export = true are offered", topic, cmp.Or(rc.Node, strings.Join(nodes, ", ")))
	}
	return ipc.Refuse(ipc.CodeNoProvider, "no module %s offers %s there; there are %s", rc.Target, topic, strings.Join(modules, ", "))
}

// expects waits for news, and reports whether there is any within a call's time. A call that has no limit waits for nobody.
func (c *cluster) expects(ctx context.Context, news <-chan struct{}) bool {
	l, err := c.current()
	if _, limited := ctx.Deadline(); !limited || err != nil {
		return false
	}
	select {
	case <-news:
		return true
	case <-l.lost:
	case <-ctx.Done():
	}
	return false
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
