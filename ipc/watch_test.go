package ipc_test

import (
	"context"
	"fmt"
	"strings"
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

// A peer may answer an id whose request is still being written. The call is over then, and its memory another's.
func TestAnAnswerBeforeTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, g := heldBack(t, nil)
		first := c.begin(t.Context(), handle(1)) // which the gate holds
		synctest.Wait()
		p.send(`{"type":"response","id":1,"status":"success","data":{"n":1}}`)
		data, err := first.wait()
		require.NoError(t, err)
		require.JSONEq(t, `{"n":1}`, string(data.JSON()))
		second := c.begin(t.Context(), handle(1))
		synctest.Wait()
		close(g.writes)
		p.receive()
		p.receive()
		p.send(`{"type":"response","id":2,"status":"success","data":{"n":2}}`)
		data, err = second.wait()
		require.NoError(t, err)
		require.JSONEq(t, `{"n":2}`, string(data.JSON()))
		synctest.Wait()
		for _, call := range []*pending{first, second} {
			require.EqualValues(t, 1, call.settled.Load())
		}
		require.EqualValues(t, 1, first.id.Load())
		require.EqualValues(t, 2, second.id.Load())
	})
}
