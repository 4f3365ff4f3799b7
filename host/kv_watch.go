package host

import (
	"context"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// maxWatches is how many watches an instance may have.
const maxWatches = 256

// watches are those of all instances, by the name that the instance knows each by. One belongs to a process. It ends with that and is kept as a wish,
// to begin anew when the instance's next process is ready or asks for it: a new process knows nothing and has to see the present values first.
//
// Methods are safe for concurrent use.
type watches struct {
	streams *streams
	note    func(supervisor.Entry)
	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu sync.Mutex
	of map[owner]map[string]*watch
}

// watch is one, for one process.
type watch struct {
	name, bucket, pattern string
	buffer                int
	caller                supervisor.Caller
	ctx                   context.Context // ends with the watch
	end                   context.CancelFunc
}

func newWatches(s *streams, note func(supervisor.Entry)) *watches {
	ctx, cancel := context.WithCancel(context.Background())
	return &watches{streams: s, note: note, ctx: ctx, cancel: cancel, of: map[owner]map[string]*watch{}}
}

func (ws *watches) begin(ctx context.Context, caller supervisor.Caller, bucket, pattern string, buffer int) (ipc.Subscribed, error) {
	if buffer == 0 {
		buffer = ipc.DefaultBuffer
	}
	if buffer < 1 || buffer > ipc.MaxBuffer {
		return ipc.Subscribed{}, ipc.Refuse(ipc.CodeInvalidInput, "buffer %d cannot be; write 1 to %d changes", buffer, ipc.MaxBuffer)
	}
	err := ws.streams.with(ctx, bucket, func(*stream) error { return nil })
	if err != nil && explain(err, "watching", false).Code != ipc.CodeUnavailable { // then read tries again
		return ipc.Subscribed{}, err
	}
	w := &watch{name: "kv:" + bucket + ":" + pattern, bucket: bucket, pattern: pattern, buffer: buffer, caller: caller}
	return ipc.Subscribed{Subscription: w.name}, ws.start(w)
}

// start begins w in the place of one for an earlier process; if there is one for this process already, that goes on.
func (ws *watches) start(w *watch) error {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	who := ownerOf(w.caller.ID)
	of := ws.of[who]
	before := of[w.name]
	switch {
	case ws.ctx.Err() != nil, isGone(w.caller): // nobody would retire it
		return errClosed
	case before != nil && before.caller.Gone() == w.caller.Gone():
		return nil
	case before != nil:
		before.end()
	case len(of) >= maxWatches:
		return ipc.Refuse(ipc.CodeBusy, "this instance has %d watches, which is the limit; end some by unwatch, or watch a wider pattern", len(of))
	case of == nil:
		of = map[string]*watch{}
		ws.of[who] = of
	}
	of[w.name] = w
	w.ctx, w.end = context.WithCancel(ws.ctx)
	ws.running.Go(func() { ws.run(w) })
	return nil
}

// resume begins the watches of an instance anew that its new process has not asked for.
func (ws *watches) resume(caller supervisor.Caller) {
	ws.mu.Lock()
	var again []*watch
	for _, w := range ws.of[ownerOf(caller.ID)] {
		if w.caller.Gone() != caller.Gone() {
			again = append(again, &watch{name: w.name, bucket: w.bucket, pattern: w.pattern, buffer: w.buffer, caller: caller})
		}
	}
	ws.mu.Unlock()
	for _, w := range again {
		if ws.start(w) == nil {
			ws.throttle(w).note(w.name + ": watch restored, it begins with the present values")
		}
	}
}

func (ws *watches) unwatch(id ipc.ModuleID, name string) error {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.of[ownerOf(id)][name]
	if w == nil {
		return ipc.Refuse(ipc.CodeNotFound, "this instance has no watch %.80q", name)
	}
	w.end()
	delete(ws.of[ownerOf(id)], name)
	return nil
}

func (ws *watches) retire(id ipc.ModuleID) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	of := ws.of[ownerOf(id)]
	for name, w := range of {
		if w.caller.ID == id { // and not of the version that has taken its place
			w.end()
			delete(of, name)
		}
	}
	if len(of) == 0 {
		delete(ws.of, ownerOf(id))
	}
}

func (ws *watches) close() {
	ws.mu.Lock()
	ws.cancel()
	ws.mu.Unlock()
	ws.running.Wait()
}

func (ws *watches) throttle(w *watch) *throttle {
	return &throttle{to: ws.note, module: w.caller.ID.Name, number: w.caller.ID.Instance}
}

// run is a watch from its beginning to its end:
//
//	stream -> read -> feed -> deliver -> the process
func (ws *watches) run(w *watch) {
	defer w.end()
	f := newFeed(w.buffer)
	var parts sync.WaitGroup
	parts.Go(func() { ws.read(w, f) })
	parts.Go(func() { ws.deliver(w, f) })
	select {
	case <-w.caller.Gone():
	case <-w.ctx.Done():
	}
	w.end()
	parts.Wait()
}

// patience is how many attempts in a row may fail before the journal has it.
const patience = 3

// read puts the changes into f. While the engine cannot be reached it tries again.
func (ws *watches) read(w *watch, f *feed) {
	var at position
	warnings := ws.throttle(w)
	for failures := 1; ; failures++ {
		before := at.seen
		err := ws.streams.with(w.ctx, w.bucket, func(st *stream) error { return at.follow(w, st, f) })
		if at.seen != before {
			failures = 1
		}
		if failures == patience {
			warnings.note(explain(err, w.name+" waits for the engine", false).Message)
		}
		timer := time.NewTimer(retryAfter)
		select {
		case <-timer.C:
		case <-w.ctx.Done():
			timer.Stop()
			return
		}
	}
}

// position is how far a watch has read.
type position struct {
	stream time.Time // when that stream was created: another one counts from 1 again
	seen   uint64
}

// follow puts what comes after at into f, until something is wrong.
func (at *position) follow(w *watch, st *stream, f *feed) error {
	info, err := st.Info(w.ctx)
	if err != nil {
		return err
	}
	if !info.Created.Equal(at.stream) {
		*at = position{stream: info.Created}
	}
	old := uint64(0) // markers up to here are of keys that nobody was told of
	if at.seen == 0 {
		old = info.State.LastSeq
	}
	b := bucket{name: w.bucket}
	t, err := openTail(w.ctx, st, b.subject(w.pattern), at.seen, false)
	if err != nil {
		return err
	}
	defer t.close(w.ctx)
	for {
		m, meta, err := t.next(w.ctx)
		if err != nil {
			return err
		}
		sequence, deleted := meta.Sequence.Stream, gone(m.Headers())
		if !deleted || sequence > old {
			c := &change{key: m.Subject()[len(b.subject("")):], value: m.Data(), deleted: deleted, revision: sequence, time: meta.Timestamp}
			if err := f.put(w.ctx, c); err != nil {
				return err
			}
		}
		at.seen = sequence
	}
}

// deliver hands the changes in f to the process, one at a time. One that is being handled when the watch is ended is handled to its end.
func (ws *watches) deliver(w *watch, f *feed) {
	failures := ws.throttle(w)
	for seq := uint64(1); ; seq++ {
		c, lost, err := f.take(w.ctx)
		if err != nil {
			return
		}
		op := ipc.OpSet
		if c.deleted {
			op = ipc.OpDelete
		}
		err = w.caller.Deliver(ws.ctx, ipc.Event{
			Delivery: ipc.Delivery{Subscription: w.name, Seq: seq, Lost: lost, Op: op, Revision: c.revision},
			Message:  ipc.Message{Topic: c.key, Payload: ipc.OwnPayload(c.value)},
			Context:  ipc.Context{Timestamp: c.time.Unix(), Attempt: 1},
		})
		if ipc.IsFromModule(err) {
			failures.note(w.name + ": handling a change of " + c.key + " failed: " + err.Error())
		}
	}
}
