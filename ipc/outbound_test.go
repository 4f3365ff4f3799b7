package ipc_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

func TestAPeerThatStopsReadingCostsABoundedQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queued, size = 100_000, 1000
		c, _ := overPipe(t, &ipc.Options{MaxQueued: queued})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		note := &ipc.Envelope{Type: "note", Params: ipc.ObjectData([]byte(`{"x":"` + strings.Repeat("x", size) + `"}`))}
		sent := 0
		for c.Notify(ctx, note) == nil {
			sent++
		}
		requireError(t, c.Notify(ctx, note), ipc.CodeTTLExpired, ipc.NotDelivered)
		const inFlight = 64<<10 + 256<<10 // what the pipe holds and what one write joins
		require.Greater(t, sent*size, queued/2)
		require.Less(t, sent*size, queued+inFlight)

		// Callers end with their ctx, one by one; an urgent frame needs no room.
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		calls := []*pending{c.begin(short, handle(10)), c.begin(short, handle(1<<20)), c.begin(short, &ipc.Envelope{Type: ipc.TypeHealthCheck})}
		for _, call := range calls {
			_, err := call.wait()
			requireError(t, err, ipc.CodeTTLExpired, ipc.NotDelivered)
		}
		require.NoError(t, c.Err(), "only the callers suffer")
	})
}

func TestUrgentFramesNeedNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := overPipe(t, &ipc.Options{MaxQueued: 1})
		c.stall(t.Context())
		synctest.Wait()
		for range 3 { // one is queued, two wait for room
			c.begin(t.Context(), handle(10))
		}
		synctest.Wait()
		c.begin(t.Context(), &ipc.Envelope{Type: ipc.TypeHealthCheck})
		synctest.Wait()
		p.receive()
		require.Equal(t, ipc.TypeHealthCheck, p.envelope().Type)
		for range 3 {
			require.Equal(t, ipc.TypeHandle, p.envelope().Type)
		}
	})
}

func TestRoomIsGivenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := overPipe(t, &ipc.Options{MaxQueued: 100})
		c.stall(t.Context())
		synctest.Wait()
		sizes := []int{10, 5000, 20, 30, 6000, 40} // the large ones never fit beside another
		for _, size := range sizes {
			c.begin(t.Context(), handle(size))
			synctest.Wait()
		}
		p.receive()
		for _, size := range sizes {
			require.Len(t, p.envelope().Message.Payload.Text(), size)
		}
	})
}

func TestAWithdrawnFrameMakesRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := overPipe(t, &ipc.Options{MaxQueued: 1000})
		c.stall(t.Context())
		synctest.Wait()
		first := c.begin(t.Context(), handle(10))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		large := c.begin(ctx, handle(5000))
		synctest.Wait()
		sent := make(chan error, 1)
		go func() { sent <- c.Notify(t.Context(), &ipc.Envelope{Type: "note"}) }()
		synctest.Wait()
		require.Empty(t, sent, "it waits behind the large one")
		_, err := large.wait()
		requireError(t, err, ipc.CodeTTLExpired, ipc.NotDelivered)
		require.NoError(t, <-sent, "nothing was read meanwhile")
		p.receive()
		require.Len(t, p.envelope().Message.Payload.Text(), 10)
		require.Equal(t, "note", p.envelope().Type)
		require.EqualValues(t, 2, first.id.Load())
	})
}

func TestWaitingFramesShareOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, g := heldBack(t, nil)
		for range 100 {
			c.begin(t.Context(), handle(10))
			synctest.Wait()
		}
		require.EqualValues(t, 1, g.written.Load())
		close(g.writes)
		for id := range int64(100) {
			require.Equal(t, id+1, p.envelope().ID)
		}
		require.EqualValues(t, 2, g.written.Load(), "the first frame alone, then all the others")
	})
}

// A peer that answers and leaves makes this side's next write fail while its answers are still unread.
func TestAFailedWriteLosesNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ipc.Pipe()
		g := newGate(a)
		g.reads = make(chan struct{})
		c, p := start(t, g, nil), &peer{t, b}
		answered, open := c.begin(t.Context(), handle(1)), c.begin(t.Context(), handle(2))
		for range 2 {
			if e := p.envelope(); len(e.Message.Payload.Text()) == 1 {
				p.send(`{"type":"response","id":` + itoa(e.ID) + `,"status":"success","data":{"kept":true}}`)
			}
		}
		p.close()

		unlucky := c.begin(t.Context(), handle(3)) // its bytes go nowhere, but nobody can know how many did
		synctest.Wait()
		require.NoError(t, c.Err(), "the connection waits for the end of what can be read")
		_, err := c.begin(t.Context(), handle(4)).wait()
		requireError(t, err, ipc.CodeUnavailable, ipc.NotDelivered)

		close(g.reads)
		data, err := answered.wait()
		require.NoError(t, err)
		require.JSONEq(t, `{"kept":true}`, string(data.JSON()))
		for _, call := range []*pending{open, unlucky} {
			_, err = call.wait()
			requireError(t, err, ipc.CodeModuleGone, ipc.Unknown)
		}
		require.ErrorIs(t, c.end(), io.EOF)
	})
}

func TestWhatCannotBeSentIsRefusedAtOnce(t *testing.T) {
	c, p := overPipe(t, &ipc.Options{MaxFrame: 1000})
	_, err := c.begin(t.Context(), handle(1000)).wait()
	requireError(t, err, ipc.CodeFrameTooLarge, ipc.NotDelivered)
	_, err = c.begin(t.Context(), &ipc.Envelope{Type: ipc.TypeServiceRequest, Params: ipc.ObjectData([]byte("{"))}).wait()
	requireError(t, err, ipc.CodeInvalidInput, ipc.NotDelivered)
	requireError(t, c.Notify(t.Context(), &ipc.Envelope{Type: "note", Params: ipc.ObjectData([]byte("{"))}), ipc.CodeInvalidInput, ipc.NotDelivered)

	c.begin(t.Context(), &ipc.Envelope{Type: ipc.TypeHealthCheck})
	p.expect(`{"id":1,"type":"health_check"}`)
}
