package ipc_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

func TestSettledIsCalledOnce(t *testing.T) {
	short := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), time.Second)
	}
	never := func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }
	for _, tt := range []struct {
		name    string
		ctx     func() (context.Context, context.CancelFunc)
		before  func(*conn, *peer)
		req     *ipc.Envelope
		after   func(*conn, *peer) // makes nothing be owed any more; nil: nothing is needed
		id      int64              // what Written was told, 0: it was not called
		settled int64              // before after
	}{
		{name: "answer", ctx: never, req: handle(1), id: 1,
			after: func(_ *conn, p *peer) { p.send(`{"type":"response","id":1,"status":"success"}`) }},
		{name: "error answer", ctx: never, req: handle(1), id: 1,
			after: func(_ *conn, p *peer) { p.send(`{"type":"response","id":1,"status":"error","error":{"code":"X"}}`) }},
		{name: "answer too large", ctx: never, req: handle(1), id: 1,
			after: func(c *conn, p *peer) {
				c.Enable(nil, 100)
				p.send(`{"type":"response","id":1,"status":"success","data":{` + fmt.Sprintf("%200s", "") + `}}`)
			}},
		{name: "late answer", ctx: short, req: handle(1), id: 1,
			after: func(_ *conn, p *peer) { p.send(`{"type":"response","id":1,"status":"success"}`) }},
		{name: "late answer twice", ctx: short, req: handle(1), id: 1, after: func(_ *conn, p *peer) {
			p.send(`{"type":"response","id":1,"status":"success"}`, `{"type":"response","id":1,"status":"success"}`)
		}},
		{name: "withdrawn", ctx: short, req: handle(1), settled: 1,
			before: func(c *conn, _ *peer) { c.stall(context.Background()) }},
		{name: "withdrawn before there was room", ctx: short, req: handle(5 << 20), settled: 1,
			before: func(c *conn, _ *peer) {
				c.stall(context.Background())
				synctest.Wait()
				c.begin(context.Background(), handle(10))
			}},
		{name: "closed by this side", ctx: never, req: handle(1), id: 1, after: func(c *conn, _ *peer) { c.Close() }},
		{name: "closed by the peer", ctx: never, req: handle(1), id: 1, after: func(_ *conn, p *peer) { p.close() }},
		{name: "peer breaks the wire", ctx: never, req: handle(1), id: 1, after: func(_ *conn, p *peer) { p.send("x") }},
		{name: "closed after the deadline", ctx: short, req: handle(1), id: 1, after: func(c *conn, _ *peer) { c.Close() }},
		{name: "closed while queued", ctx: never, req: handle(1),
			before: func(c *conn, _ *peer) { c.stall(context.Background()) }, after: func(c *conn, _ *peer) { c.Close() }},
		{name: "closed before", ctx: never, req: handle(1), settled: 1, before: func(c *conn, _ *peer) { c.Close() }},
		{name: "request too large", ctx: never, req: handle(1000), settled: 1, before: func(c *conn, _ *peer) { c.Enable(nil, 100) }},
		{name: "request cannot be encoded", ctx: never, settled: 1,
			req: &ipc.Envelope{Type: ipc.TypeServiceRequest, Params: ipc.ObjectData([]byte("{"))}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := overPipe(t, nil)
				if tt.before != nil {
					tt.before(c, p)
					synctest.Wait()
				}
				ctx, cancel := tt.ctx()
				defer cancel()
				call := c.begin(ctx, tt.req)
				if _, ends := ctx.Deadline(); ends {
					<-call.done
				}
				synctest.Wait()
				require.Equal(t, tt.settled, call.settled.Load())
				if tt.id != 0 {
					require.NotNil(t, c.Watching(tt.id))
				}
				if tt.after != nil {
					tt.after(c, p)
					synctest.Wait()
				}
				<-call.done
				c.Close()
				<-c.Done()
				synctest.Wait()
				require.EqualValues(t, 1, call.settled.Load())
				require.Nil(t, c.Watching(1))
				require.Equal(t, tt.id, call.id.Load())
				require.Equal(t, strings.Contains(tt.name, "answer"), call.answered.Load())
				require.Equal(t, tt.id != 0, call.known.Load())
			})
		})
	}
}

func TestWrittenComesBeforeTheBytes(t *testing.T) {
	a, b := ipc.Pipe()
	g := newGate(a)
	c, p := start(t, g, nil), &peer{t, b}
	before := make(chan int64, 1)
	go func() {
		_, _ = c.Call(context.Background(), handle(1), &watch{written: func(int64) { before <- g.written.Load() }})
	}()
	require.Zero(t, <-before)
	p.receive()
}

// Written and Settled run outside the connection's lock, in goroutines that may overtake each other when it closes.
func TestWrittenIsNeverCalledAfterSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			c, p, g := heldBack(t, nil)
			require.NoError(t, c.Notify(t.Context(), &ipc.Envelope{Type: "note"}))
			synctest.Wait() // it keeps the writing goroutine while the calls queue up
			var overtaken atomic.Int64
			var calls sync.WaitGroup
			writing := make(chan struct{}, 4)
			for range cap(writing) {
				calls.Go(func() {
					var settled atomic.Bool
					_, _ = c.Call(context.Background(), handle(1), &watch{
						written: func(int64) {
							if settled.Load() {
								overtaken.Add(1)
							}
							writing <- struct{}{}
							for c.Err() == nil { // the connection closes meanwhile
								runtime.Gosched()
							}
							for range 100 { // and most calls settle
								runtime.Gosched()
							}
						},
						settled: func(ipc.Settlement) { settled.Store(true) },
					})
				})
			}
			synctest.Wait()
			close(g.writes)
			<-writing
			c.Close()
			calls.Wait()
			require.ErrorIs(t, c.end(), ipc.ErrClosed)
			require.Zero(t, overtaken.Load())
			require.NoError(t, p.rw.Close())
		}
	})
}

// A peer may answer an id before the request is written. Who writes that still comes to the call then, which may be no other's yet.
func TestAnAnswerBeforeTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, g := heldBack(t, nil)
		require.NoError(t, c.Notify(t.Context(), &ipc.Envelope{Type: "note"}))
		synctest.Wait() // it keeps the writing goroutine while two calls queue up
		var calls sync.WaitGroup
		begin := func(written func(int64)) {
			calls.Go(func() {
				_, err := c.Call(t.Context(), handle(1), &watch{written: written})
				require.NoError(t, err)
			})
			synctest.Wait()
		}
		first, third := make(chan struct{}), make(chan int64, 4)
		begin(func(int64) { <-first })
		begin(nil)
		close(g.writes)
		synctest.Wait() // both are about to be written
		p.send(`{"type":"response","id":2,"status":"success"}`)
		synctest.Wait()
		begin(func(id int64) { third <- id })
		close(first)
		synctest.Wait()
		p.send(`{"type":"response","id":1,"status":"success"}`, `{"type":"response","id":3,"status":"success"}`)
		calls.Wait()
		require.Equal(t, int64(3), <-third)
		require.Empty(t, third)
	})
}
