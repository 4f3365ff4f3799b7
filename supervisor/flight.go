package supervisor

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/ixtrun/ixt/ipc"
)

// maxDepth is how many calls may wait for each other.
const maxDepth = 16

// flight is one accepted call until it ends.
type flight struct {
	msg      ipc.TargetedMessage // without the node in its target; see node
	kept     sync.Mutex          // held by a crash report that looks at msg.Payload, and by keep
	mc       ipc.Context
	ids      [32]byte      // the text of those that identify has made
	ttl      time.Duration // the caller's limit, within the topic's; 0: none
	modules  []string      // those that may get it
	node     string        // the only node that may get it; "": any
	parent   *flight       // the call in whose handling this one was made
	depth    int           // number of ancestors
	tries    int           // at finding an instance; those that delivered nothing are no attempts
	accepted time.Time     // when the supervisor took it on; from then on is counted
	asked    time.Duration // when the latest try began
	granted  time.Duration // when it found one; never: it has not
	ended    time.Duration // when its answer had come, or it had failed; never: neither
	handling atomic.Uint64 // its SpanHandle, if somebody traces
	data     ipc.Data      // of the answer, when it has ended well
	term     term          // the ctx of what is done for it, which ends with it
	first    delivery      // its first attempt
	provider *provider     // who has it now; guarded by router.mu
	roams    bool          // it may go to another supervisor
	foreign  bool          // it comes from one
	gaveUp   bool          // its caller does not wait for the answer any more; guarded by router.mu
	answered bool          // the module has answered; guarded by router.mu
}

// never is the time of what has not happened to a flight.
const never time.Duration = -1

// delivery is one attempt at a call: it holds a slot until the module owes nothing more.
type delivery struct {
	*flight
	offer    *offer
	place    int // among the provider's open ones; guarded by router.mu
	attempt  int
	written  bool
	answered time.Time // when the answer had come; zero: none has
	known    bool      // a request of the module has been found to belong to it
}

// of is the call that an attempt is at.
func (d *delivery) of() *flight { return d.flight }

// private reports, of a call that has a result, whether nobody but its caller can know it any more: its only attempt was answered, no
// other call was made in its handling, and no ctx hangs below its term, as it does for a call that has waited.
func (f *flight) private() bool {
	return f.tries == 1 && !f.first.answered.IsZero() && !f.first.known && f.term.full == nil
}

// keep makes the payload the flight's own. The caller's memory is theirs again when the call has ended, but a crash report may still
// be about it, unless the first attempt was answered.
func (f *flight) keep() {
	f.kept.Lock()
	defer f.kept.Unlock()
	f.msg.Payload = f.msg.Payload.Own()
}

// fromHost is the source of calls that come from outside, not from a module.
const fromHost = "host"

// identify says who makes the call, and gives it an id, and a trace id if it has none: then the first call of a trace has half of that,
// as with some tracers. They stand in the flight, which may serve another call: who keeps one longer than the call clones it.
func (f *flight) identify(source, trace string) {
	var random [len(f.ids) / 2]byte
	for i := 0; i < len(random); i += 8 {
		binary.LittleEndian.PutUint64(random[i:], rand.Uint64())
	}
	hex.Encode(f.ids[:], random[:])
	text := unsafe.String(&f.ids[0], len(f.ids))
	f.mc.SourceModule, f.mc.TraceID, f.mc.CallID = source, cmp.Or(trace, text), text[len(text)/2:]
}

// fits reports whether an instance may get the call.
func (f *flight) fits(id ipc.ModuleID) bool {
	return f.msg.Target == "" || f.msg.Target == id.Name || f.msg.Target == id.Module() || f.msg.Target == id.String()
}

// waitsForItself reports whether every provider that may get the call is filled with calls that wait for it, or the only one
// there can be drains them before it makes room for its successor.
func (f *flight) waitsForItself(t *topic) bool {
	if f.parent == nil {
		return false
	}
	offers := t.fitting(f)
	if len(offers) == 0 {
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
	for _, o := range offers {
		p, limit := o.provider, o.rules.Concurrency
		if all[p] < p.limit && (limit == 0 || here[p] < limit) {
			return false
		}
	}
	return true
}

// begin starts the call's time: what ctx and parent, which may be nil, leave it, and its own limit.
func (f *flight) begin(ctx, parent context.Context) {
	f.accepted = time.Now()
	if f.mc.Timestamp == 0 {
		f.mc.Timestamp = f.accepted.Unix()
	}
	f.asked, f.granted, f.ended = 0, 0, never
	f.term.begin(ctx, parent)
	f.shorten(f.ttl)
}

// age is the time since the call was accepted.
func (f *flight) age() time.Duration { return time.Since(f.accepted) }

// left is what the call had left of its time when it found an instance, 0 if it has no limit.
func (f *flight) left() time.Duration {
	if f.term.limit.IsZero() {
		return 0
	}
	return f.term.limit.Sub(f.accepted) - f.granted
}

// shorten makes the call's time end so long after it has begun, unless it ends before. 0 is any time.
func (f *flight) shorten(ttl time.Duration) {
	if ttl > 0 {
		f.term.shorten(f.accepted.Add(ttl))
	}
}

// land takes down when an attempt ended: when the module's answer had come, or now if none has.
func (d *delivery) land(err error) {
	if err != nil && !ipc.IsFromModule(err) { // Settled may write answered meanwhile
		d.ended = d.age()
		return
	}
	d.ended = max(d.answered.Sub(d.accepted), d.granted)
}

// take hands out the answer's data. The flight does not keep it, for others may keep the flight.
func (f *flight) take() ipc.Data {
	data := f.data
	f.data = ipc.Data{}
	return data
}

// follow lets the delivery keep its slot until the module owes nothing more, and the calls that the module makes meanwhile find f.
func (r *router) follow(d *delivery) ipc.Watch {
	if r.spans != nil {
		d.handling.Store(d.partID(saltHandle))
	}
	d.attempt, d.msg.TTLMS = d.mc.Attempt, ipc.Milliseconds(d.left())
	return d
}

// callLater sends the call of a delivery without waiting for its result, which goes to a Receiver; errors are those of HandleLater.
func (r *router) callLater(d *delivery, p *ipc.Pending, to ipc.Receiver, batch *ipc.Batch) error {
	r.follow(d)
	return d.offer.provider.talk.HandleLater(p, &d.msg.Message, &d.mc, d.term.limit, to, batch)
}

// Written is a step of an attempt: ipc.Watch.
func (d *delivery) Written(int64) { d.written = true }

// Settled is the end of an attempt: ipc.Watch.
func (d *delivery) Settled(s ipc.Settlement) {
	d.answered, d.known = s.Answered, s.Known
	d.offer.provider.router.release(d, s.Batch)
}

// lost reports, of a delivery that is settled, whether the module has seen the call and will never answer it.
func (d *delivery) lost() bool { return d.written && d.answered.IsZero() }

// again decides whether a failed call goes to another instance, within its deadline.
func (r *router) again(d *delivery, err error) bool {
	f, p, t := d.flight, d.offer.provider, d.offer.topic
	var e *ipc.Error
	if !errors.As(err, &e) || e.Origin == ipc.FromModule {
		return false
	}
	switch e.Code {
	case ipc.CodeUnavailable: // the connection ended first: nobody has seen the call
		r.repeat(t, p, f, e, 0)
	case ipc.CodeModuleGone, ipc.CodeProtocolError:
		if f.term.Err() != nil || !d.offer.rules.Idempotent || f.mc.Attempt >= d.offer.rules.Attempts || p.talk.Err() == nil { // then it was a bad answer, and no more
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
			e.Message = fmt.Sprintf("%s did not answer within %s", p.instance.id, seconds(f.age()))
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
