package supervisor

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// maxDepth is how many calls may wait for each other.
const maxDepth = 16

// flight is one accepted call until it ends.
type flight struct {
	msg      ipc.Message
	mc       ipc.Context
	target   string          // the only one who may get it: name, name:version or name:version/instance-002; "": any provider
	ttl      time.Duration   // the caller's limit, within the topic's; 0: none
	modules  []string        // those that may get it
	node     string          // the only node that may get it; "": any
	roams    bool            // it may go to another supervisor
	foreign  bool            // it comes from one
	parent   *flight         // the call in whose handling this one was made
	depth    int             // number of ancestors
	accepted time.Time       // when the supervisor took it on
	tries    int             // at finding an instance; those that delivered nothing are no attempts
	asked    time.Time       // when the latest try began
	granted  time.Time       // when it found one; zero: it has not
	ended    time.Time       // when it ended
	handling atomic.Uint64   // its SpanHandle, if somebody traces
	ctx      context.Context // ends with the call
	provider *provider       // who has it now; guarded by router.mu
	gaveUp   bool            // its caller does not wait for the answer any more; guarded by router.mu
	answered bool            // the module has answered; guarded by router.mu
}

// delivery is one attempt at a call.
type delivery struct {
	*flight
	attempt  int
	answered bool
}

// fromHost is the source of calls that come from outside, not from a module.
const fromHost = "host"

// fits reports whether an instance may get the call.
func (f *flight) fits(id ipc.ModuleID) bool {
	return f.target == "" || f.target == id.Name || f.target == id.Module() || f.target == id.String()
}

// waitsForItself reports whether every provider that may get the call is filled with calls that wait for it, or the only one
// there can be drains them before it makes room for its successor.
func (f *flight) waitsForItself(t *topic) bool {
	if f.parent == nil {
		return false
	}
	providers := t.fitting(f)
	if len(providers) == 0 {
		for a := f.parent; a != nil; a = a.parent {
			if a.provider.alone(t) && a.provider.instance.yields() {
				return true
			}
		}
		return false
	}
	all, here := map[*provider]int{}, map[*provider]int{}
	for a := f.parent; a != nil; a = a.parent {
		all[a.provider]++
		if a.msg.Topic == t.name {
			here[a.provider]++
		}
	}
	for _, p := range providers {
		limit := p.topics[t.name].Concurrency
		if all[p] < p.limit && (limit == 0 || here[p] < limit) {
			return false
		}
	}
	return true
}

// deadline is when the call's time is over, the zero time if it has no limit.
func (f *flight) deadline() time.Time {
	deadline, _ := f.ctx.Deadline()
	return deadline
}

// follow keeps the slot until the module owes nothing more, and lets the calls that the module makes meanwhile find f.
func (r *router) follow(t *topic, p *provider, f *flight) *ipc.Watch {
	var id int64
	attempt := f.mc.Attempt
	if r.spans != nil {
		f.handling.Store(f.partID(saltHandle))
	}
	return &ipc.Watch{
		Written: func(written int64) {
			id = written
			p.instance.flights.Store(id, f)
		},
		Settled: func(answered bool) {
			if id != 0 {
				p.instance.flights.Delete(id)
			}
			r.release(t, p, delivery{f, attempt, answered}, id != 0 && !answered)
		},
	}
}

// again decides whether a failed call goes to another instance, within its deadline.
func (r *router) again(ctx context.Context, t *topic, p *provider, f *flight, err error) bool {
	var e *ipc.Error
	if !errors.As(err, &e) || e.Origin == ipc.FromModule {
		return false
	}
	switch e.Code {
	case ipc.CodeUnavailable: // the connection ended first: nobody has seen the call
		r.repeat(t, p, f, e, 0)
	case ipc.CodeModuleGone, ipc.CodeProtocolError:
		rules := p.topics[t.name]
		if ctx.Err() != nil || !rules.Idempotent || f.mc.Attempt >= rules.Attempts || p.talk.Err() == nil { // then it was a bad answer, and no more
			return false
		}
		r.repeat(t, p, f, e, 1)
		f.mc.Attempt++
	default:
		return false
	}
	r.detach(p) // its owner will notice too; until then nobody else should run into it
	return true
}

// verdict is the one place that decides what an error means for the call: who it comes from, and with what outcome.
// p is who had the call last; nil if nobody had it.
func (r *router) verdict(t *topic, p *provider, f *flight, err error) *ipc.Error {
	e := *ipc.AsError(err, ipc.CodeModuleGone)
	if e.Origin == ipc.FromModule && p != nil {
		e.Origin, e.Outcome = p.instance.id.String(), ipc.Done
		r.finish(t, p, f, &e)
		return &e
	}
	e.Origin = ipc.Supervisor
	if p != nil {
		switch e.Code {
		case ipc.CodeModuleGone:
			e.Message = fmt.Sprintf("%s ended while it had the call", p.instance.id)
			if !p.instance.s.opts.OnDemand { // then its reports go with the supervisor
				e.Message += fmt.Sprintf("; `ixt crash %s` tells why", p.instance.id.Name)
			}
		case ipc.CodeTimeout:
			e.Message = fmt.Sprintf("%s did not answer within %s", p.instance.id, seconds(time.Since(f.accepted)))
		}
	}
	if f.mc.Attempt > 1 && e.Outcome == ipc.NotDelivered {
		e.Outcome = ipc.Unknown // an earlier attempt was delivered
	}
	r.finish(t, p, f, &e)
	entry := Entry{Kind: KindCall, Text: e.Error(), Topic: f.msg.Topic, Code: e.Code, CallID: f.mc.CallID, TraceID: f.mc.TraceID}
	if p != nil {
		entry.Module, entry.Instance = p.instance.id.Name, p.instance.id.Instance
	}
	r.report(t, entry)
	return &e
}
