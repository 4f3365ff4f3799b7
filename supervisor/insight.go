package supervisor

import (
	"context"
	"maps"
	"slices"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// Insight is what an Engine can tell of what it keeps. An Engine that has it is asked.
type Insight interface {
	// Subscriptions are those of a module's instances, by instance and name. How many events wait for a durable one is left out if
	// that cannot be told now.
	Subscriptions(ctx context.Context, module string) []SubscriptionStatus
	// Buckets are those of the service, ipc.ServiceKV or ipc.ServiceBlob, that something was ever put into, by name. An error is one
	// of the engine, as its services answer it.
	Buckets(ctx context.Context, service string) ([]string, error)
}

// SubscriptionStatus is what is known of what an instance has subscribed to.
type SubscriptionStatus struct {
	Instance int     `json:"instance"`
	Pattern  string  `json:"pattern"`
	Durable  string  `json:"durable,omitempty"` // its name
	Group    bool    `json:"group,omitempty"`   // shared with the module's other instances
	Handled  uint64  `json:"handled"`           // events; all three count from when the instance subscribed, over its restarts
	Failed   uint64  `json:"failed"`            // attempts that ended with an error
	Lost     uint64  `json:"lost"`              // too slow for them, or given up
	Waiting  *uint64 `json:"waiting,omitempty"` // events; nil: not known now
}

// Subscriptions are what a module's instances have subscribed to; none if the engine cannot tell.
func (s *Supervisor) Subscriptions(ctx context.Context, module string) ([]SubscriptionStatus, error) {
	if s.byName[module] == nil {
		return nil, s.unknownModule(module)
	}
	insight, is := s.opts.Engine.(Insight)
	if !is {
		return nil, nil
	}
	return insight.Subscriptions(ctx, module), nil
}

// Buckets are those that a service has, ipc.ServiceKV or ipc.ServiceBlob: every module's own, those that manifests name, and whatever
// the engine keeps beside them. The error is an *ipc.Error.
func (s *Supervisor) Buckets(ctx context.Context, service string) ([]string, error) {
	listed := map[string]func(*manifest.Module) []string{
		ipc.ServiceKV:   func(m *manifest.Module) []string { return m.Requires.KV },
		ipc.ServiceBlob: func(m *manifest.Module) []string { return m.Requires.Blobs },
	}[service]
	if listed == nil {
		return nil, ipc.Refuse(ipc.CodeInvalidInput, "the service %q has no buckets; %s and %s have", service, ipc.ServiceKV, ipc.ServiceBlob)
	}
	if err := s.awaitUp(ctx); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, u := range s.units {
		names[u.m.Name] = true
		for _, name := range listed(u.m) {
			names[name] = true
		}
	}
	if insight, is := s.opts.Engine.(Insight); is {
		kept, err := insight.Buckets(ctx, service)
		if err != nil {
			return nil, err
		}
		for _, name := range kept {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}
