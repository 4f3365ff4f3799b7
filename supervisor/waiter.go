package supervisor

import (
	"sync"

	"github.com/ixtrun/ixt/ipc"
)

// waiter is a call in a topic's queue, until it has ended. Who frees the slot for it sends it, which is mostly who has read an answer: so
// the module has its next call before the caller of the last one has woken, and the caller of this one wakes once, when it is over.
//
//	release ─> dispatch ─> serve ─> send ── a result ─> Ended ─> acquire
//	                                  └─ not sent ─────────────> acquire, which has the slot and sends the call itself
type waiter struct {
	priority  ipc.Priority
	number    uint64 // grows with each waiter, whatever its topic
	flight    *flight
	*delivery               // the slot; guarded by router.mu until granted
	granted   chan struct{} // buffered; receives at most one: when there is a result, or a slot that nothing was sent for

	sending sync.Mutex // held from serve to the end of send
	sent    bool       // guarded by it
	pending ipc.Pending

	ended bool // there is a result; constant from granted on, as what follows
	err   error
}

// mostSent is the size of the largest payload that somebody else sends than who waits: one who reads should be back soon.
const mostSent = 16 << 10

// serve gives w a slot. The caller holds router.mu, and calls send without it.
func (w *waiter) serve(o *offer) {
	w.sending.Lock()
	w.delivery = o.occupy(w.flight)
	w.flight.granted = w.flight.age()
}

// send sends the call of one who has been served, if that can be done at once.
func (w *waiter) send(batch *ipc.Batch) {
	defer w.sending.Unlock()
	if f := w.flight; f.msg.Payload.Size() <= mostSent && f.term.Err() == nil {
		w.sent = w.offer.provider.router.callLater(w.delivery, &w.pending, w, batch) == nil
	}
	if !w.sent {
		w.granted <- struct{}{}
	}
}

// abandon ends the call of one who has been served, if it has been sent.
func (w *waiter) abandon(reason error) {
	w.sending.Lock()
	sent := w.sent
	w.sending.Unlock()
	if sent {
		w.pending.Abandon(reason)
	}
}

// Ended is the result: ipc.Receiver.
func (w *waiter) Ended(data ipc.Data, err error, _ *ipc.Batch) {
	w.flight.data, w.err, w.ended = data, err, true
	w.granted <- struct{}{}
}

// before reports whether w is served before v.
func (w *waiter) before(v *waiter, byAge bool) bool {
	if byAge || w.priority == v.priority {
		return w.number < v.number
	}
	return w.priority > v.priority
}
