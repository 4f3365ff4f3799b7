package admin

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/ixtrun/ixt/supervisor"
)

// Topic is what is known of a topic: what the supervisor that was asked has of it, and who else provides it.
type Topic struct {
	supervisor.TopicStatus
	Elsewhere []string `json:"elsewhere,omitempty"` // name:version@node of the modules that export it on other nodes
}

// Topics returns the status of every topic, by name. Those that only other nodes have count nothing.
func (c *Client) Topics(ctx context.Context) ([]Topic, error) {
	return get[[]Topic](ctx, c, "topics")
}

func (s *Server) topics(*http.Request) (any, error) {
	topics := map[string]*Topic{}
	for _, t := range s.sup.Topics() {
		topics[t.Topic] = &Topic{TopicStatus: t}
	}
	for _, n := range s.others() {
		for name, modules := range n.Topics {
			t := topics[name]
			if t == nil {
				t = &Topic{TopicStatus: supervisor.TopicStatus{Topic: name, Modules: []string{}}}
				topics[name] = t
			}
			for _, m := range modules {
				t.Elsewhere = append(t.Elsewhere, m+"@"+n.Node)
			}
		}
	}
	out := make([]Topic, 0, len(topics))
	for t := range maps.Values(topics) {
		slices.Sort(t.Elsewhere)
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b Topic) int { return cmp.Compare(a.Topic, b.Topic) })
	return out, nil
}

// others are the nodes that are there, but for this one.
func (s *Server) others() []Node {
	if s.cluster == nil {
		return nil
	}
	return slices.DeleteFunc(s.cluster.Nodes(), func(n Node) bool { return n.Self || n.Gone != "" })
}
