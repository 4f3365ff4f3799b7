package host

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

var _ supervisor.Insight = (*Host)(nil)

// Subscriptions are those of a module's instances, by instance and name. See supervisor.Insight.
func (h *Host) Subscriptions(ctx context.Context, module string) []supervisor.SubscriptionStatus {
	ctx, cancel := context.WithTimeout(ctx, backlogTime)
	defer cancel()
	subs := slices.DeleteFunc(h.events.subscriptions(), func(sub *subscription) bool { return sub.owner.module != module })
	slices.SortFunc(subs, func(a, b *subscription) int {
		return cmp.Or(cmp.Compare(a.owner.number, b.owner.number), cmp.Compare(a.name, b.name))
	})
	stored := h.events.stored(ctx, subs)
	var out []supervisor.SubscriptionStatus
	for _, sub := range subs {
		s := supervisor.SubscriptionStatus{
			Instance: sub.owner.number, Pattern: sub.pattern, Durable: sub.durable, Group: sub.group,
			Handled: sub.counts.handled.Load(), Failed: sub.counts.failed.Load(), Lost: sub.counts.dropped.Load() + sub.counts.givenUp.Load(),
		}
		if n, known := sub.waiting(stored); known {
			s.Waiting = &n
		}
		out = append(out, s)
	}
	return out
}

// Buckets are those of kv or blob that something was ever put into. See supervisor.Insight.
func (h *Host) Buckets(ctx context.Context, service string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	prefix := kvStreamPrefix
	if service == ipc.ServiceBlob {
		prefix = blobStreamPrefix
	}
	names, err := h.engine.buckets(ctx, prefix)
	if err != nil {
		return nil, explain(err, "listing the buckets of "+service, false)
	}
	return names, nil
}

// buckets are those whose streams begin with prefix. An engine in this process that nobody has needed yet has none.
func (e *engine) buckets(ctx context.Context, prefix string) (names []string, err error) {
	e.mu.Lock()
	unused := e.last == nil && e.opts.URL == ""
	e.mu.Unlock()
	if unused {
		return nil, nil
	}
	_, js, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	list := js.StreamNames(ctx)
	for stream := range list.Name() {
		if bucket, is := strings.CutPrefix(stream, prefix); is {
			names = append(names, bucket)
		}
	}
	return names, list.Err()
}
