package ipc_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// workers counts the goroutines that run handlers or wait for one.
func workers() int {
	stacks := make([]byte, 4<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "created by github.com/ixtrun/ixt/ipc.(*Conn).hire")
}

func TestWorkersAreKeptForALittleWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := workers()
		doors := make(chan struct{})
		c, p := overPipe(t, &ipc.Options{Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) {
			<-doors
			return ipc.Data{}, nil
		}})
		id := int64(0)
		burst := func(n int) {
			for range n {
				id++
				p.send(request(id))
			}
			synctest.Wait()
			require.Equal(t, n, c.Stats().Open, "none waits for another")
			for range n {
				doors <- struct{}{}
				p.receive()
			}
			synctest.Wait()
		}
		burst(200)
		require.Equal(t, 128, workers()-before, "the others have ended")
		burst(10)
		require.Equal(t, 128, workers()-before, "the second burst needed no new one")
		for range 8 {
			<-time.After(300 * time.Millisecond)
			burst(3)
		}
		require.Equal(t, 3, workers()-before, "so many were needed lately")
		<-time.After(3 * time.Second)
		require.Equal(t, 1, workers()-before)
		burst(5)
		require.Equal(t, 5, workers()-before)
		c.Close()
		_ = c.end()
		synctest.Wait()
		require.Zero(t, workers()-before)
	})
}

// What hangs below a handler's ctx ends with it, and a worker's next request has a ctx of its own.
func TestAContextBelowTheHandlersEndsWithIt(t *testing.T) {
	type key struct{}
	for _, tt := range []struct {
		name string
		ttl  string
		end  func(*conn, *peer)
		want error
	}{
		{"cancel", "0", func(_ *conn, p *peer) { p.send(`{"type":"cancel","id":1}`) }, context.Canceled},
		{"time", "1000", func(*conn, *peer) { <-time.After(time.Second) }, context.DeadlineExceeded},
		{"interrupt", "0", func(c *conn, _ *peer) { c.Interrupt() }, context.Canceled},
		{"connection", "0", func(c *conn, _ *peer) { c.Close() }, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended, early := make(chan error, 4), make(chan bool, 1)
				c, p := overPipe(t, &ipc.Options{Handler: func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
					child, cancel := context.WithTimeout(context.WithValue(ctx, key{}, 1), time.Hour)
					defer cancel()
					ran := make(chan struct{})
					stop := context.AfterFunc(child, func() { ended <- ctx.Err(); close(ran) })
					withdrawn := context.AfterFunc(ctx, func() { ended <- context.Cause(ctx) })
					early <- withdrawn()
					<-child.Done()
					<-ran // package context starts it after that
					ended <- child.Err()
					require.False(t, stop())
					late := make(chan struct{})
					context.AfterFunc(ctx, func() { close(late) })
					<-late
					return ipc.Data{}, nil
				}})
				p.send(`{"id":1,"type":"handle","message":{"topic":"t","ttl_ms":` + tt.ttl + `}}`)
				synctest.Wait()
				require.True(t, <-early, "it had not run")
				require.Empty(t, ended)
				tt.end(c, p)
				require.Equal(t, []error{tt.want, tt.want}, []error{<-ended, <-ended})
				synctest.Wait()
				require.Empty(t, ended)
			})
		})
	}
}

// A handler that keeps its ctx sees it end, though nobody ever waited for that.
func TestTheContextEndsWithTheAnswer(t *testing.T) {
	kept := make(chan context.Context, 1)
	_, p := overPipe(t, &ipc.Options{Handler: func(ctx context.Context, _ *ipc.Envelope) (ipc.Data, error) {
		kept <- ctx
		return ipc.Data{}, ctx.Err()
	}})
	p.send(request(1))
	require.Equal(t, ipc.StatusSuccess, p.envelope().Status)
	ctx := <-kept
	<-ctx.Done()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}

func TestInterruptHoldsForWhatComes(t *testing.T) {
	c, p := overPipe(t, &ipc.Options{Handler: func(ctx context.Context, _ *ipc.Envelope) (ipc.Data, error) {
		<-ctx.Done()
		return ipc.Data{}, ctx.Err()
	}})
	c.Interrupt()
	p.send(request(1))
	require.Equal(t, ipc.CodeCancelled, p.envelope().Error.Code)
}
