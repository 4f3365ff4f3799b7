package supervisor

import (
	"context"
	"sync"

	"github.com/ixtrun/ixt/ipc"
)

// passage is a call that one module makes to another while no goroutine waits for it: who reads the request sends it on, who reads the
// answer sends that back. So goes a call that finds a free slot at once. What does not go well then goes on as any other call, as what
// does not begin so does from the start.
//
//	router.pass ─> HandleLater ── a result ─> Request.Answer
//	     │              └─ an error, its time is over, its caller or its parent has ended ─> router.retry ─> Request.Answer
//	     └─ false: messageBus.Call
type passage struct {
	*delivery
	call    flight
	request *ipc.Request
	pending ipc.Pending

	mu   sync.Mutex
	over bool // there is a result
	left bool // who has begun it does not come back to it
}

// relay passes a module's call on without waiting for it; false leaves it to serve.
func (s *Supervisor) relay(in *instance, p *incarnation, req *ipc.Request, batch *ipc.Batch) bool {
	if req.Service != ipc.ServiceMessageBus || req.Method != ipc.MethodCall {
		return false
	}
	caller, err := s.asking(in, p, &req.Envelope)
	if err != nil {
		return false
	}
	x := s.router.passed.get()
	x.request = req
	if err := (messageBus{s}).prepare(&x.call, caller, req.Method, req.Params); err != nil {
		s.router.passed.put(x)
		return false
	}
	return s.router.pass(x, batch)
}

// pass begins a passage, if there is a free slot for the call here and now; otherwise nothing has happened.
func (r *router) pass(x *passage, batch *ipc.Batch) bool {
	f := &x.call
	var parent context.Context
	if f.parent != nil { // a child never outlives it
		parent = &f.parent.term
	}
	f.begin(x.request, parent)
	away, err := r.away(f)
	if !away && err == nil && f.term.Err() == nil {
		_, x.delivery, _ = r.admit(f, false)
	}
	if x.delivery == nil {
		r.passed.put(x)
		return false
	}
	r.passing.Add(1)
	f.tries, f.mc.Attempt = 1, 1
	if r.callLater(x.delivery, &x.pending, x, batch) != nil {
		r.release(x.delivery, nil)
		r.ended()
		r.passing.Done()
		return false
	}
	x.request.Bind(&x.pending)
	x.leave()
	return true
}

// leave lets the call end with its parent, too, and the passage to itself.
func (x *passage) leave() {
	x.mu.Lock()
	late := x.call.parent != nil && !x.over && !x.call.parent.term.bind(&x.pending)
	x.left = !late
	x.mu.Unlock()
	if late {
		x.pending.Abandon(context.Canceled)
	}
}

// Ended is the result: ipc.Receiver. The passage serves another call after a success, unless somebody may come back to it: who has begun
// it, or its parent (see end), who made a call in its handling, or its caller, who has given up.
func (x *passage) Ended(data ipc.Data, err error, batch *ipc.Batch) {
	r, f := x.offer.provider.router, &x.call
	x.land(err)
	alone := x.end()
	if err == nil {
		r.finish(x.offer.topic, x.offer.provider, f, nil)
		alone = alone && f.private()
		if !alone {
			f.term.end()
		}
		if x.request.Answer(data, nil, batch) && alone {
			r.passed.put(x)
		}
		r.passing.Done()
		return
	}
	go func() { // for it may have to wait for another instance
		defer r.passing.Done()
		err := r.conclude(f, r.retry(x.delivery, err))
		x.request.Answer(f.take(), err, nil)
	}()
}

// end says that there is a result, and reports whether neither who has begun the passage nor its parent comes back to it.
func (x *passage) end() (alone bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	alone = x.left
	if parent := x.call.parent; parent != nil {
		alone = parent.term.unbind(&x.pending) && alone
	}
	return alone
}
