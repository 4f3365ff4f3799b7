package supervisor

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// counting is a conversation that knows how it was asked, and may take no calls that nobody waits for.
type counting struct {
	*wired
	calls, later atomic.Int64
	refuses      bool
}

func (c *counting) Handle(ctx context.Context, m *ipc.Message, mc *ipc.Context, watch ipc.Watch) (ipc.Data, error) {
	c.calls.Add(1)
	return c.wired.Handle(ctx, m, mc, watch)
}

func (c *counting) HandleLater(p *ipc.Pending, m *ipc.Message, mc *ipc.Context, limit time.Time, to ipc.Receiver, batch *ipc.Batch) error {
	if c.refuses {
		return errors.New("not now")
	}
	c.later.Add(1)
	return c.wired.HandleLater(p, m, mc, limit, to, batch)
}

// busy is a router whose only provider takes one call at a time and has one, which a.answers ends.
func busy(t *testing.T) (a *asker, r *router, talk *counting, first chan error) {
	a, first = newAsker(t), make(chan error, 1)
	talk = &counting{wired: a.talk}
	a.echo.talk, a.echo.limit = talk, 1
	r = a.sup.router
	r.topics["echo.say"].rules.Queue = 10
	go func() { first <- r.say(t.Context(), 0) }()
	<-a.received
	return a, r, talk, first
}

func (r *router) say(ctx context.Context, payload int) error {
	return r.call(ctx, &flight{msg: ipc.TargetedMessage{Message: ipc.Message{Topic: "echo.say", Payload: ipc.EncodePayload(make([]byte, payload))}}})
}

// waits makes a call, and returns when it is in the queue.
func (r *router) waits(ctx context.Context, t *testing.T, payload int) chan error {
	ended := make(chan error, 1)
	go func() { ended <- r.say(ctx, payload) }()
	require.Eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.topics["echo.say"].queue) > 0
	}, time.Minute, 100*time.Microsecond)
	return ended
}

// settled returns when the module owes nothing.
func (a *asker) settled(t *testing.T) {
	require.Eventually(t, func() bool {
		open, _ := a.sup.router.load(a.echo, time.Now())
		return open == 0
	}, time.Minute, 100*time.Microsecond)
}

func TestWhoSendsACallThatWaited(t *testing.T) {
	for _, tt := range []struct {
		name    string
		payload int
		refuses bool
		later   int64
	}{
		{name: "who has read the answer before", payload: 64, later: 1},
		{name: "its caller, for it is large", payload: 1 << 20},
		{name: "its caller, for it could not be sent at once", refuses: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, r, talk, first := busy(t)
			talk.refuses = tt.refuses
			second := r.waits(t.Context(), t, tt.payload)
			a.answers <- nil
			require.NoError(t, <-first)
			<-a.received
			a.answers <- nil
			require.NoError(t, <-second)
			require.Equal(t, tt.later, talk.later.Load())
			require.Equal(t, 2-tt.later, talk.calls.Load())
		})
	}
}

func TestHowACallThatWaitedEnds(t *testing.T) {
	for _, tt := range []struct {
		name    string
		limit   time.Duration // of the call
		end     func(*asker, context.CancelFunc)
		code    string
		outcome ipc.Outcome
	}{
		{name: "answered", end: func(a *asker, _ context.CancelFunc) { a.answers <- nil }},
		{name: "answered with an error", end: func(a *asker, _ context.CancelFunc) { a.answers <- ipc.Errorf("NO_INK", "no") }, code: "NO_INK", outcome: ipc.Done},
		{name: "given up", end: func(_ *asker, cancel context.CancelFunc) { cancel() }, code: ipc.CodeCancelled, outcome: ipc.Unknown},
		{name: "out of time", limit: 300 * time.Millisecond, code: ipc.CodeTimeout, outcome: ipc.Unknown},
		{name: "gone", end: func(a *asker, _ context.CancelFunc) { a.talk.Conn.Close() }, code: ipc.CodeModuleGone, outcome: ipc.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, r, talk, first := busy(t)
			ctx, cancel := context.WithCancel(t.Context())
			if tt.limit > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), tt.limit)
			}
			defer cancel()
			second := r.waits(ctx, t, 64)
			a.answers <- nil
			require.NoError(t, <-first)
			<-a.received
			require.Equal(t, int64(1), talk.later.Load())
			if tt.end != nil {
				tt.end(a, cancel)
			}
			if err := <-second; tt.code == "" {
				require.NoError(t, err)
			} else {
				e := new(ipc.Error)
				require.ErrorAs(t, err, &e)
				require.Equal(t, tt.code, e.Code, e)
				require.Equal(t, tt.outcome, e.Outcome)
			}
			if tt.code == ipc.CodeModuleGone {
				return
			}
			if tt.limit > 0 {
				a.answers <- nil
			}
			a.settled(t) // one that is not wanted any more is answered when its ctx ends
			a.answers <- nil
			require.NoError(t, r.say(t.Context(), 0), "the slot is free again")
			r.close()
			<-r.idle
		})
	}
}

// Whoever gives up in the moment in which the slot comes leaves nothing behind.
func TestGivingUpWhileTheSlotComes(t *testing.T) {
	a, r, _, first := busy(t)
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		second := r.waits(ctx, t, 64)
		go cancel()
		a.answers <- nil
		require.NoError(t, <-first)
		require.True(t, ipc.IsCode(<-second, ipc.CodeCancelled))
		a.settled(t)
		for len(a.received) > 0 { // it was delivered
			<-a.received
		}
		go func() { first <- r.say(t.Context(), 0) }()
		<-a.received
	}
	a.answers <- nil
	require.NoError(t, <-first)
	r.close()
	<-r.idle
}

// A call whose time is over when its slot comes was handled by nobody.
func TestGivenUpWhenTheSlotComes(t *testing.T) {
	a, r, _, first := busy(t)
	ctx, cancel := context.WithCancel(t.Context())
	second := r.waits(ctx, t, 64)
	r.free(a.echo, nil, func() {
		cancel()
		a.echo.limit = 2
	})
	require.True(t, ipc.IsCode(<-second, ipc.CodeCancelled))
	a.answers <- nil
	require.NoError(t, <-first)
	require.Empty(t, a.received)
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := &r.topics["echo.say"].counts
	require.Equal(t, uint64(1), counts.handling.Count(), "the first")
	require.Equal(t, uint64(2), counts.queue.Count())
}
