package moduletest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// What a durable subscription does with an event that was not handled: docs/host-services.md, "Delivery".
const (
	maxAttempts = 5
	answerTime  = 30 * time.Second
	firstPause  = time.Second
	longest     = 30 * time.Second
)

// outlets are the module's subscriptions, by name.
type outlets struct {
	mu     sync.Mutex
	byName map[string]*outlet
}

// outlet delivers the events of one subscription, one at a time and in order.
type outlet struct {
	h       *Harness
	name    string
	bucket  string // of a watch; "" for events
	pattern string
	durable bool
	buffer  int
	wake    chan struct{} // has something when waiting or ended has changed

	mu      sync.Mutex
	waiting []*delivery
	seq     uint64
	lost    uint64
	ended   bool
}

// delivery is an event that waits.
type delivery struct {
	event   ipc.Event
	due     time.Time  // not before
	settled chan error // gets how it ended, once; has room for it
}

// open begins the subscription o unless there is one of that name.
func (os *outlets) open(h *Harness, o *outlet) (fresh bool, err error) {
	switch {
	case o.buffer == 0:
		o.buffer = ipc.DefaultBuffer
	case o.buffer < 0 || o.buffer > ipc.MaxBuffer:
		return false, ipc.Refuse(ipc.CodeInvalidInput, "a buffer of %d cannot be; it is 1 to %d", o.buffer, ipc.MaxBuffer)
	}
	os.mu.Lock()
	defer os.mu.Unlock()
	if os.byName[o.name] != nil {
		return false, nil
	}
	if os.byName == nil {
		os.byName = make(map[string]*outlet)
	}
	o.h, o.wake = h, make(chan struct{}, 1)
	os.byName[o.name] = o
	h.background.Go(o.run)
	return true, nil
}

// end ends the subscription of that name, with all that waits.
func (os *outlets) end(name string) error {
	os.mu.Lock()
	o := os.byName[name]
	delete(os.byName, name)
	os.mu.Unlock()
	if o == nil {
		return ipc.Refuse(ipc.CodeNotFound, "the module has no subscription %q", name)
	}
	o.mu.Lock()
	o.ended = true
	o.mu.Unlock()
	o.rouse()
	return nil
}

// offer gives an event to every subscription of the bucket that matches, and returns where each tells how it ended.
func (os *outlets) offer(bucket string, e ipc.Event) (settled []<-chan error) {
	os.mu.Lock()
	defer os.mu.Unlock()
	for _, o := range os.byName {
		if o.bucket == bucket && matches(o.pattern, e.Message.Topic) {
			settled = append(settled, o.add(e))
		}
	}
	return settled
}

// add lets an event wait. When there is no room, the oldest goes that has to; of a watch that is a key's older change, and if
// every key is there only once, none.
func (o *outlet) add(e ipc.Event) <-chan error {
	d := &delivery{event: e, settled: make(chan error, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		d.settled <- gone()
		return d.settled
	}
	o.waiting = append(o.waiting, d)
	if !o.durable && len(o.waiting) > o.buffer {
		o.drop()
	}
	o.rouse()
	return d.settled
}

// drop makes room. The caller holds mu.
func (o *outlet) drop() {
	oldest := 0
	if o.bucket != "" {
		oldest = slices.IndexFunc(o.waiting, func(d *delivery) bool {
			last := o.waiting[len(o.waiting)-1]
			return d != last && d.event.Message.Topic == last.event.Message.Topic
		})
	}
	if oldest < 0 {
		return
	}
	o.waiting[oldest].settled <- nil // nobody failed to handle it
	o.waiting = slices.Delete(o.waiting, oldest, oldest+1)
	o.lost++
}

func (o *outlet) rouse() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run delivers until the subscription or the module ends.
func (o *outlet) run() {
	select {
	case <-o.h.started:
	case <-o.h.life.Done():
	}
	for o.h.life.Err() == nil {
		d, pause, ok := o.next(time.Now())
		if !ok {
			break
		}
		if d != nil {
			o.deliver(d)
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-o.wake:
		case <-timer.C:
		case <-o.h.life.Done():
		}
		timer.Stop()
	}
	o.close()
}

// next takes the first event that is due, or says how long there is none for sure. It is not ok when the subscription has ended.
func (o *outlet) next(now time.Time) (d *delivery, pause time.Duration, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return nil, 0, false
	}
	pause = time.Hour // adding rouses
	for i, d := range o.waiting {
		if left := d.due.Sub(now); left > 0 {
			pause = min(pause, left)
			continue
		}
		o.waiting = slices.Delete(o.waiting, i, i+1)
		if d.event.Seq == 0 {
			o.seq++
			d.event.Seq = o.seq
		}
		d.event.Subscription, d.event.Lost, o.lost = o.name, o.lost, 0
		return d, 0, true
	}
	return nil, pause, true
}

// deliver tries once; an event that a durable subscription could not handle waits for its next try.
func (o *outlet) deliver(d *delivery) {
	ctx, cancel := o.h.life, context.CancelFunc(func() {})
	if o.durable {
		ctx, cancel = context.WithTimeout(ctx, answerTime)
	}
	defer cancel()
	d.event.Context.Attempt++
	err := o.h.conn.Event(ctx, d.event)
	if err == nil || !o.durable || d.event.Context.Attempt == maxAttempts {
		if err != nil {
			err = o.h.fromModule(err)
		}
		d.settled <- err
		return
	}
	d.due = time.Now().Add(min(firstPause<<(d.event.Context.Attempt-1), longest))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, d)
}

// close settles what still waits.
func (o *outlet) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	for _, d := range o.waiting {
		d.settled <- gone()
	}
	o.waiting = nil
}

func gone() error {
	return ipc.Refuse(ipc.CodeUnavailable, "the subscription ended before the event was handled")
}
