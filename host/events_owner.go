package host

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

const (
	maxSubscriptions = 256 // of one instance
	maxDurableName   = 64  // bytes
)

// subscribe returns the name of the subscription, a new one or what the instance has already.
func (s *events) subscribe(ctx context.Context, caller supervisor.Caller, p ipc.Subscription) (string, error) {
	if err := check(&p); err != nil {
		return "", err
	}
	allowed := covers(caller.Module.Requires.Events, p.Pattern)
	if err := caller.Deny(allowed, "subscribe to "+p.Pattern, "requires", "events", caller.Module.Requires.Events, p.Pattern); err != nil {
		return "", err
	}
	sub, isNew, err := s.reserve(caller, p)
	if err != nil {
		return "", err
	}
	if isNew {
		s.begin(ctx, sub)
	}
	select {
	case <-sub.opened:
	case <-ctx.Done():
		return "", explain(ctx.Err(), "subscribing to "+p.Pattern, false)
	}
	if sub.err != nil {
		return "", sub.err
	}
	sub.seat.take(caller)
	return sub.name, nil
}

// check fills in what p leaves open.
func check(p *ipc.Subscription) error {
	if err := manifest.CheckTopic(p.Pattern, true); err != nil {
		return ipc.Refuse(ipc.CodeInvalidInput, "%v", err)
	}
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	switch {
	case len(p.Durable) > maxDurableName || strings.ContainsFunc(p.Durable, odd):
		return ipc.Refuse(ipc.CodeInvalidInput, "durable %.80q: write up to %d letters, digits, - and _", p.Durable, maxDurableName)
	case p.From != "" && p.From != ipc.FromNew && p.From != ipc.FromKept:
		return ipc.Refuse(ipc.CodeInvalidInput, "from %q: write %q or %q", p.From, ipc.FromNew, ipc.FromKept)
	case p.From == ipc.FromKept && p.Durable == "":
		return ipc.Refuse(ipc.CodeInvalidInput, "from %q without durable: only a durable subscription finds kept events; give it a name", p.From)
	case p.Buffer < 0 || p.Buffer > ipc.MaxBuffer:
		return ipc.Refuse(ipc.CodeInvalidInput, "buffer %d: write 1 to %d", p.Buffer, ipc.MaxBuffer)
	}
	if p.Buffer == 0 {
		p.Buffer = ipc.DefaultBuffer
	}
	return nil
}

// reserve finds the subscription that p means, or makes room for a new one. One by the same name that is shared with other
// instances where p is not, or the other way round, gives way to it.
func (s *events) reserve(caller supervisor.Caller, p ipc.Subscription) (sub *subscription, isNew bool, err error) {
	who, wanted := ownerOf(caller.ID), nameOf(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil || isGone(caller) { // nobody would retire it
		return nil, false, errClosed
	}
	mine := s.owners[who]
	if mine == nil {
		mine = map[string]*subscription{}
		s.owners[who] = mine
	}
	for name, old := range mine {
		switch {
		case name == wanted && old.group == p.Group:
			old.source.resize(p.Buffer)
			return old, false, nil
		case name == wanted || (p.Durable != "" && old.durable == p.Durable && !old.seat.held(caller)):
			old.end() // a new version of the module wants another pattern by the same name
			delete(mine, name)
		case p.Durable != "" && old.durable == p.Durable:
			return nil, false, ipc.Refuse(ipc.CodeInvalidInput, "durable %q is the subscription to %s already: choose another name for the one to %s, or unsubscribe that first", p.Durable, old.pattern, p.Pattern)
		}
	}
	if len(mine) >= maxSubscriptions {
		return nil, false, ipc.Refuse(ipc.CodeBusy, "%s has %d subscriptions, which is the limit: subscribe to patterns with * and >, or unsubscribe some", caller.ID, maxSubscriptions)
	}
	sub = s.newSubscription(who, p, s.audience.reception(caller.Module, p.Pattern))
	mine[wanted] = sub
	s.running.Add(1)
	return sub, true, nil
}

// begin opens a reserved subscription and lets it run.
func (s *events) begin(ctx context.Context, sub *subscription) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err := sub.source.open(ctx)
	if err == nil && sub.ended.Err() != nil {
		err = ipc.Refuse(ipc.CodeCancelled, "the instance was stopped meanwhile")
		sub.source.close()
	}
	if err != nil {
		sub.err = explain(err, "subscribing to "+sub.pattern, false)
		s.forget(sub)
		sub.end()
		close(sub.opened)
		s.running.Done()
		return
	}
	close(sub.opened)
	go func() {
		defer s.running.Done()
		defer sub.source.close()
		sub.source.run()
	}()
}

// forget takes a subscription off its owner's list, if it is still there.
func (s *events) forget(sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mine := s.owners[sub.owner]; mine[sub.name] == sub {
		delete(mine, sub.name)
	}
}

// unsubscribe ends a subscription, and what waits for it. An event that is being handled is handled to its end.
func (s *events) unsubscribe(ctx context.Context, caller supervisor.Caller, name string) error {
	s.mu.Lock()
	sub := s.owners[ownerOf(caller.ID)][name]
	s.mu.Unlock()
	if sub == nil {
		return ipc.Refuse(ipc.CodeNotFound, "%s has no subscription %q", caller.ID, name)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := sub.source.drop(ctx); err != nil {
		return explain(err, "unsubscribing from "+sub.pattern, true)
	}
	s.forget(sub)
	sub.end()
	return nil
}

// of returns an instance's subscriptions.
func (s *events) of(id ipc.ModuleID) []*subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.owners[ownerOf(id)]))
}

// ready lets the subscriptions that the process has not asked for again go on, too.
func (s *events) ready(caller supervisor.Caller) {
	for _, sub := range s.of(caller.ID) {
		select {
		case <-sub.opened:
			sub.seat.take(caller)
		default: // whoever is opening it takes it
		}
	}
}

// retired ends an instance's subscriptions here. What the durable ones wait for stays in the stream.
func (s *events) retired(id ipc.ModuleID) {
	for _, sub := range s.of(id) {
		sub.end()
	}
	s.mu.Lock()
	delete(s.owners, ownerOf(id))
	s.mu.Unlock()
}

// close ends all subscriptions and waits for them.
func (s *events) close() {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	s.running.Wait()
}

func ownerOf(id ipc.ModuleID) owner { return owner{id.Name, id.Instance} }
