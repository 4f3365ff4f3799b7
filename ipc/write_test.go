package ipc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// Over a socket senders write themselves; a peer that does not read must still cost nobody more than their own ctx.
func TestASocketThatIsFullKeepsNobody(t *testing.T) {
	a, b := unixSockets(t)
	c, p := start(t, a, nil), &peer{t, b}
	t.Cleanup(p.close)
	written := make(chan struct{})
	go func() {
		_, _ = c.Call(context.Background(), handle(4<<20), &watch{written: func(int64) { close(written) }})
	}()
	<-written
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := c.begin(ctx, handle(10)).wait()
		requireError(t, err, ipc.CodeTTLExpired, ipc.NotDelivered)
	}
	require.Positive(t, c.Stats().Stalled)
	c.begin(t.Context(), handle(20))
	c.begin(t.Context(), handle(20))
	require.Len(t, p.envelope().Message.Payload.Text(), 4<<20)
	for id := range int64(2) {
		e := p.envelope()
		require.Equal(t, id+2, e.ID)
		require.Len(t, e.Message.Payload.Text(), 20)
	}
}

// The writing sender finds out that the peer has gone; what that wrote before is still read.
func TestASenderThatFailsLosesNoAnswer(t *testing.T) {
	a, b := unixSockets(t)
	reads := make(chan struct{})
	c, p := start(t, a, &ipc.Options{Notify: func(*ipc.Envelope) { <-reads }}), &peer{t, b}
	p.send(`{"type":"note"}`) // it keeps the reading goroutine
	answered, open := c.begin(t.Context(), handle(1)), c.begin(t.Context(), handle(2))
	for range 2 {
		if e := p.envelope(); len(e.Message.Payload.Text()) == 1 {
			p.send(`{"type":"response","id":` + itoa(e.ID) + `,"status":"success","data":{"kept":true}}`)
		}
	}
	p.close()
	unlucky := make(chan struct{})
	go func() {
		_, err := c.Call(t.Context(), handle(3), &watch{written: func(int64) { close(unlucky) }})
		requireError(t, err, ipc.CodeModuleGone, ipc.Unknown)
	}()
	<-unlucky
	_, err := c.begin(t.Context(), handle(4)).wait()
	require.Error(t, err) // never written, or with bytes that went nowhere
	require.NoError(t, c.Err(), "the connection waits for the end of what can be read")

	close(reads)
	data, err := answered.wait()
	require.NoError(t, err)
	require.JSONEq(t, `{"kept":true}`, string(data.JSON()))
	_, err = open.wait()
	requireError(t, err, ipc.CodeModuleGone, ipc.Unknown)
	_ = c.end()
}
