package ipc_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// inParts is a ctx that is to be waited for by its parts alone.
type inParts struct {
	context.Context
	t             *testing.T
	first, second chan struct{}
	limit         time.Time
	reason        error // once a part has ended
	ended         bool
}

func (c *inParts) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *inParts) Ends() (first, second <-chan struct{}, limit time.Time) {
	return c.first, c.second, c.limit
}

func (c *inParts) Done() <-chan struct{} {
	c.t.Error("it was not waited for by its parts")
	return nil
}

func (c *inParts) Err() error {
	if c.ended {
		return c.reason
	}
	return nil
}

// end ends a part.
func (c *inParts) end(part chan struct{}) {
	c.ended = true
	if part != nil {
		close(part)
	}
}

func TestCallsEndWithAnyPartOfTheirContext(t *testing.T) {
	for name, c := range map[string]struct {
		ctx  func() (ctx inParts, part chan struct{})
		code string
	}{
		"the first": {func() (inParts, chan struct{}) {
			part := make(chan struct{})
			return inParts{first: part, limit: time.Now().Add(time.Hour), reason: context.Canceled}, part
		}, ipc.CodeCancelled},
		"the second": {func() (inParts, chan struct{}) {
			part := make(chan struct{})
			return inParts{second: part, reason: context.Canceled}, part
		}, ipc.CodeCancelled},
		"the limit":   {func() (inParts, chan struct{}) { return inParts{limit: time.Now().Add(time.Second)}, nil }, ipc.CodeTimeout},
		"none of all": {func() (inParts, chan struct{}) { return inParts{limit: time.Now().Add(time.Hour)}, nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host, module := overPipe(t, nil)
				for range 2 { // the second with what the first has left
					ctx, part := c.ctx()
					ctx.Context, ctx.t = t.Context(), t
					p := host.begin(&ctx, handle(4))
					id := module.envelope().ID
					if c.code == "" {
						module.send(fmt.Sprintf(`{"type":"response","id":%d,"status":"success"}`, id))
						_, err := p.wait()
						require.NoError(t, err)
						continue
					}
					ctx.end(part)
					_, err := p.wait()
					requireError(t, err, c.code, ipc.Unknown)
				}
			})
		})
	}
}

// brief is a ctx whose time is over when it is looked at for the second time.
type brief struct {
	context.Context
	looked atomic.Int32
}

func (b *brief) Deadline() (time.Time, bool) {
	if b.looked.Add(1) == 1 {
		return time.Now().Add(time.Hour), true
	}
	return time.Now(), true
}

func (b *brief) Err() error {
	if b.looked.Load() < 2 {
		return nil
	}
	return context.DeadlineExceeded
}

func TestNothingIsSentThatTookItsTimeToEncode(t *testing.T) {
	host, _ := overPipe(t, nil)
	p := host.begin(&brief{Context: t.Context()}, handle(100<<10))
	_, err := p.wait()
	requireError(t, err, ipc.CodeTTLExpired, ipc.NotDelivered)
	require.EqualValues(t, 1, p.settled.Load())
}

// Calls share one clock for their limits: each must end at its own all the same.
func TestEachCallEndsAtItsOwnLimit(t *testing.T) {
	for name, c := range map[string]struct {
		stalled bool // the peer does not read, so that the calls stay queued
		code    string
		outcome ipc.Outcome
	}{
		"written": {false, ipc.CodeTimeout, ipc.Unknown},
		"queued":  {true, ipc.CodeTTLExpired, ipc.NotDelivered},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host, module := overPipe(t, nil)
				if c.stalled {
					host.stall(t.Context())
					synctest.Wait()
				}
				began := time.Now()
				ends := map[time.Duration]*pending{}
				for _, seconds := range []int{5, 3, 9, 0, 3600, 7, 1} { // 0: none
					var ctx inParts
					after := time.Duration(seconds) * time.Second
					if ctx.Context, ctx.t = t.Context(), t; after > 0 {
						ctx.limit = began.Add(after)
					}
					ends[after] = host.begin(&ctx, handle(4))
					if !c.stalled {
						module.receive()
					}
				}
				for _, seconds := range []int{1, 3, 5, 7, 9} {
					after := time.Duration(seconds) * time.Second
					_, err := ends[after].wait()
					requireError(t, err, c.code, c.outcome)
					require.Equal(t, after, time.Since(began))
				}
				host.Close()
				for _, after := range []time.Duration{0, time.Hour} {
					_, err := ends[after].wait()
					require.Error(t, err)
					require.Equal(t, 9*time.Second, time.Since(began))
				}
			})
		})
	}
}
