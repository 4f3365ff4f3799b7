package host

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/supervisor"
)

// leaseBucket is where leases are kept: one key for each, and its revision is what everybody goes by.
const leaseBucket = "ixt_leases"

// The times of a lease. Its holder counts from when it sent the renewal, everybody else from when they first saw it, which is later:
// no two clocks are compared. Between holdTime and leaseTime what the holder ran has to end, for which it has supervisor.LeaseGrace.
const (
	renewEvery = 2 * time.Second
	holdTime   = 6 * time.Second  // without a renewal the holder gives up
	leaseTime  = 10 * time.Second // without one somebody else may take it
	lookEvery  = 500 * time.Millisecond
)

// leases are those that this supervisor has. It is safe for concurrent use.
type leases struct {
	mu   sync.Mutex
	mine map[string]bool // by name; never two of one name at once
}

func (l *leases) claim(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mine[name] {
		return false
	}
	l.mine[name] = true
	return true
}

func (l *leases) drop(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.mine, name)
}

// holder is the value of a lease.
type holder struct {
	Node string `json:"node"`
	ID   string `json:"id"` // of the supervisor, which has it once at most
}

// lease is one try to have a lease, and then the having of it. One goroutine after the other owns it.
type lease struct {
	*cluster
	name     string
	value    holder
	revision uint64    // the last that is known to be ours
	renewed  time.Time // when that one was sent
}

// hold waits for a lease; see supervisor.Leases.
func (c *cluster) hold(ctx context.Context, name string, waiting func(why string)) (<-chan struct{}, func(), error) {
	if c.alone() {
		return nil, func() {}, nil
	}
	l := &lease{cluster: c, name: name, value: holder{c.node, c.id}}
	if err := l.acquire(ctx, waiting); err != nil {
		return nil, nil, err
	}
	lost, released := make(chan struct{}), make(chan struct{})
	c.keeps.Go(func() { l.keep(lost, released) })
	return lost, sync.OnceFunc(func() { close(released) }), nil
}

// acquire looks again and again until the lease is free.
func (l *lease) acquire(ctx context.Context, waiting func(string)) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var seen uint64
	var since time.Time
	said := ""
	for {
		if l.leases.claim(l.name) {
			revision, who, err := l.look(ctx, seen, since)
			switch {
			case err == nil && revision == 0:
				return nil
			case err == nil && revision != seen:
				seen, since = revision, time.Now()
			}
			l.leases.drop(l.name)
			why := "for the lease, which node " + who + " has"
			if err != nil {
				why = "for the lease: " + explain(err, "asking for it", false).Message
			}
			if said != why && ctx.Err() == nil {
				said = why
				waiting(why)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look takes the lease if it is free, or has been of one revision, seen, for leaseTime. Revision 0 says that it did; otherwise it is the
// present one, and who has it.
func (l *lease) look(ctx context.Context, seen uint64, since time.Time) (revision uint64, who string, err error) {
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	kv, err := l.bucket(ctx)
	if err != nil {
		return 0, "", err
	}
	for {
		sent := time.Now()
		entry, err := kv.Get(ctx, l.name)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			l.revision, err = kv.Create(ctx, l.name, l.text())
		case err != nil:
			return 0, "", err
		case entry.Revision() == seen && time.Since(since) >= leaseTime, string(entry.Value()) == string(l.text()): // ours, and could not be given back
			l.revision, err = kv.Update(ctx, l.name, l.text(), entry.Revision())
		default:
			var has holder
			_ = json.Unmarshal(entry.Value(), &has) // whoever it is
			return entry.Revision(), has.Node, nil
		}
		if !isOutdated(err) {
			l.renewed = sent
			return 0, "", err
		}
	}
}

func (l *lease) text() []byte {
	data, _ := json.Marshal(l.value) // nothing in it can fail
	return data
}

func (l *lease) bucket(ctx context.Context) (jetstream.KeyValue, error) {
	_, js, err := l.engine.use(ctx)
	if err != nil {
		return nil, err
	}
	kv, err := js.KeyValue(ctx, leaseBucket)
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return kv, err
	}
	config := jetstream.KeyValueConfig{Bucket: leaseBucket, Description: "which node runs what only one may", History: 1, Replicas: 3}
	kv, err = js.CreateKeyValue(ctx, config)
	if refused := (*jetstream.APIError)(nil); errors.As(err, &refused) { // a single server, say
		config.Replicas = 1
		kv, err = js.CreateKeyValue(ctx, config)
	}
	return kv, err
}

// keep renews the lease until it is released or lost.
func (l *lease) keep(lost, released chan struct{}) {
	defer l.leases.drop(l.name)
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	end := time.NewTimer(time.Until(l.renewed.Add(holdTime)))
	defer end.Stop()
	for held := true; ; {
		select {
		case <-released:
			l.giveBack()
			return
		case <-tick.C:
			held = held && l.renew()
		case <-end.C:
			held = false
		}
		if lost != nil && (!held || time.Since(l.renewed) >= holdTime) {
			held = false
			close(lost)
			lost = nil
			l.note(supervisor.Entry{Kind: supervisor.KindWarning, Module: l.name, Text: "its lease is lost: it ends here, before another node may start it"})
		}
		end.Reset(time.Until(l.renewed.Add(holdTime)))
		if !held {
			tick.Stop()
			end.Stop()
		}
	}
}

// renew makes the lease last; false says that somebody else has it. Without an answer it lasts no longer than before.
func (l *lease) renew() bool {
	ctx, cancel := context.WithDeadline(context.Background(), l.renewed.Add(min(holdTime, time.Since(l.renewed)+renewEvery)))
	defer cancel()
	kv, err := l.bucket(ctx)
	if err != nil {
		return true
	}
	for {
		sent := time.Now()
		revision, err := kv.Update(ctx, l.name, l.text(), l.revision)
		switch {
		case err == nil:
			l.revision, l.renewed = revision, sent
			return true
		case !isOutdated(err):
			return true
		}
		entry, err := kv.Get(ctx, l.name)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			return false
		case err != nil:
			return true
		case string(entry.Value()) != string(l.text()) || entry.Revision() == l.revision:
			return false
		}
		l.revision = entry.Revision() // an earlier renewal whose answer was lost
	}
}

// giveBack frees the lease at once, if the server can be told.
func (l *lease) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), renewEvery)
	defer cancel()
	if kv, err := l.bucket(ctx); err == nil {
		_ = kv.Delete(ctx, l.name, jetstream.LastRevision(l.revision)) // otherwise it ends by itself
	}
}

// isOutdated tells whether a revision was not the present one.
func isOutdated(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) || errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}
