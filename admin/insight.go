package admin

import (
	"context"
	"net/http"

	"github.com/ixtrun/ixt/supervisor"
)

// Subscriptions returns what a module's instances have subscribed to.
func (c *Client) Subscriptions(ctx context.Context, name string) ([]supervisor.SubscriptionStatus, error) {
	return get[[]supervisor.SubscriptionStatus](ctx, c, "modules", name, "subscriptions")
}

// Buckets returns the names of the buckets of a service, kv or blob: those of modules and manifests, and those that were made beside
// them.
func (c *Client) Buckets(ctx context.Context, service string) ([]string, error) {
	return get[[]string](ctx, c, "buckets", service)
}

func (s *Server) subscriptions(r *http.Request) (any, error) {
	subs, err := s.sup.Subscriptions(r.Context(), r.PathValue("name"))
	if subs == nil {
		subs = []supervisor.SubscriptionStatus{}
	}
	return subs, err
}

func (s *Server) buckets(r *http.Request) (any, error) {
	return s.sup.Buckets(r.Context(), r.PathValue("service"))
}
