package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

func TestDrainEndsWhenEverythingIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c, p := overPipe(t, &ipc.Options{Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) {
			<-release
			return ipc.Data{}, nil
		}})
		p.send(request(1), request(2))
		synctest.Wait()
		c.Drain()
		c.Drain()
		p.send(request(3))
		e := p.envelope()
		require.EqualValues(t, 3, e.ID)
		require.Equal(t, ipc.CodeUnavailable, e.Error.Code)

		own := c.begin(t.Context(), handle(1)) // a handler may still need its host
		require.Equal(t, ipc.TypeHandle, p.envelope().Type)
		p.send(`{"type":"response","id":1,"status":"success"}`)
		_, err := own.wait()
		require.NoError(t, err)

		close(release)
		require.NoError(t, c.end())
		ids := []int64{p.envelope().ID, p.envelope().ID}
		require.ElementsMatch(t, []int64{1, 2}, ids, "the answers are read before the end")
		_, err = readFrame(p.rw)
		require.ErrorIs(t, err, io.EOF)
	})
}

func TestDrainEndsAnIdleConnection(t *testing.T) {
	c, p := overPipe(t, nil)
	c.Drain()
	require.NoError(t, c.end())
	require.NoError(t, c.Err())
	_, err := readFrame(p.rw)
	require.ErrorIs(t, err, io.EOF)
}

// The peer may take the last answer and be gone before this side knows that it was written.
func TestDrainEndsWellWhenThePeerLeavesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ipc.Pipe()
		g := newGate(a)
		g.wrote = make(chan struct{})
		c, p := start(t, g, &ipc.Options{Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) { return ipc.Data{}, nil }}), &peer{t, b}
		p.send(request(1))
		p.receive()
		c.Drain()
		p.close()
		require.NoError(t, c.end())
	})
}

func TestCloseEndsEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := overPipe(t, &ipc.Options{GoneCode: "HOST_GONE", MaxQueued: 1})
		inFlight := c.stall(t.Context())
		synctest.Wait()
		queued := c.begin(t.Context(), handle(1))
		synctest.Wait()
		waiting := c.begin(t.Context(), handle(2))
		synctest.Wait()
		c.Close()
		<-c.Done()
		_, err := inFlight.wait()
		requireError(t, err, "HOST_GONE", ipc.Unknown)
		for _, call := range []*pending{queued, waiting, c.begin(t.Context(), handle(3))} {
			_, err = call.wait()
			requireError(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
		}
		require.ErrorIs(t, c.end(), ipc.ErrClosed)
		require.ErrorIs(t, c.Err(), ipc.ErrClosed)
		c.Close()
	})
}

// "The host MUST NOT send a handle after shutdown": not even one that was queued before.
func TestShutdownWithdrawsWhatIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := overPipe(t, &ipc.Options{MaxQueued: 1})
		c.stall(t.Context())
		synctest.Wait()
		queued := c.begin(t.Context(), handle(1))
		synctest.Wait()
		waiting := c.begin(t.Context(), handle(2))
		synctest.Wait()
		farewell := make(chan error, 1)
		go func() { farewell <- c.Shutdown(t.Context(), time.Second) }()
		synctest.Wait()
		for _, call := range []*pending{queued, waiting, c.begin(t.Context(), handle(3))} {
			_, err := call.wait()
			requireError(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
		}
		require.Contains(t, p.receive(), `"type":"handle"`)
		require.Contains(t, p.receive(), `"type":"shutdown"`)
		p.send(`{"type":"response","id":1,"status":"success"}`, `{"type":"response","id":2,"status":"success"}`)
		require.NoError(t, <-farewell)
	})
}

// A notification that was not queued is never reported as sent, also when its sender gives up at that moment.
func TestCloseEndsSendersThatGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			c, _ := overPipe(t, &ipc.Options{MaxQueued: 1})
			c.stall(t.Context())
			synctest.Wait()
			c.begin(t.Context(), handle(1))
			synctest.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			sent := make(chan error, 1)
			go func() { sent <- c.Notify(ctx, &ipc.Envelope{Type: "note"}) }()
			synctest.Wait()
			cancel()
			c.Close()
			require.Error(t, <-sent)
		}
	})
}

func TestRunEndsWithItsContextAndAfterItsHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ipc.Pipe()
		cleaned := false
		c := ipc.NewConn(a, &ipc.Options{Handler: func(ctx context.Context, _ *ipc.Envelope) (ipc.Data, error) {
			<-ctx.Done()
			<-time.After(time.Second) // it tidies up
			cleaned = true
			return ipc.Data{}, nil
		}})
		reason := errors.New("the supervisor stops")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(reason) })
		p := &peer{t, b}
		p.send(request(1))
		require.ErrorIs(t, c.Run(ctx), reason)
		require.True(t, cleaned)
		<-c.Done()
	})
}

func TestWhatEndsAConnection(t *testing.T) {
	for _, tt := range []struct {
		name   string
		bytes  []byte
		reason string // of a protocol error
		err    error  // any other
	}{
		{name: "end of the stream", err: io.EOF},
		{name: "end inside a length", bytes: []byte{1, 0}, err: io.ErrUnexpectedEOF},
		{name: "end inside a frame", bytes: frame(request(1))[:20], err: io.ErrUnexpectedEOF},
		{name: "end inside a skipped frame", bytes: append(frame(strings.Repeat("x", 3000))[:5], 0), err: io.ErrUnexpectedEOF},
		{name: "empty frame", bytes: frame(""), reason: "a frame is empty"},
		{name: "attachment", bytes: []byte{9, 0, 0, 0x80}, reason: "a frame has an attachment, but the extension was not negotiated"},
		{name: "text", bytes: frame("listening on port 8080"), reason: "a frame is not a JSON object"},
		{name: "array", bytes: frame("[]"), reason: "a frame is not a JSON object"},
		{name: "blank", bytes: frame("  "), reason: "a frame is not a JSON object"},
		{name: "half an object", bytes: frame(`{"type":`), reason: "a frame cannot be decoded: unexpected end of JSON input"},
		{name: "two objects", bytes: frame(`{"type":"a"}{}`), reason: "a frame cannot be decoded: invalid character '{' after top-level value"},
		{name: "not UTF-8", bytes: frame("{\"type\":\"\xff\"}"), reason: "a frame is not UTF-8"},
		{name: "no type", bytes: frame(`{"id":1}`), reason: "a frame has no type"},
		{name: "negative id", bytes: frame(`{"type":"handle","id":-1}`), reason: "id -1 is outside 1 .. 2^53-1"},
		{name: "large id", bytes: frame(`{"type":"handle","id":9007199254740992}`), reason: "id 9007199254740992 is outside 1 .. 2^53-1"},
		{name: "answer without id", bytes: frame(`{"type":"response"}`), reason: "a response has no id"},
		{name: "cancel without id", bytes: frame(`{"type":"cancel"}`), reason: "a cancel has no id"},
		{name: "id used twice", bytes: append(frame(request(7)), frame(request(7))...), reason: "request id 7 does not grow: the last one was 7"},
		{name: "id shrinks", bytes: append(frame(request(7)), frame(request(2))...), reason: "request id 2 does not grow: the last one was 7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, p := overPipe(t, &ipc.Options{MaxFrame: 2000, Handler: func(ctx context.Context, _ *ipc.Envelope) (ipc.Data, error) {
				<-ctx.Done()
				return ipc.Data{}, ctx.Err()
			}})
			call := c.begin(t.Context(), handle(1))
			p.receive()
			_, err := p.rw.Write(tt.bytes)
			require.NoError(t, err)
			code := ipc.CodeProtocolError
			if tt.err != nil {
				p.close()
				code = ipc.CodeModuleGone
			}
			_, err = call.wait()
			requireError(t, err, code, ipc.Unknown)
			if tt.err != nil {
				require.ErrorIs(t, c.end(), tt.err)
				return
			}
			var broken *ipc.ProtocolError
			require.ErrorAs(t, c.end(), &broken)
			require.Equal(t, tt.reason, broken.Reason)
			require.True(t, bytes.Contains(tt.bytes, broken.Head), "a report can show the bytes")
		})
	}
}

func TestAReportShowsOnlyTheHeadOfABadFrame(t *testing.T) {
	c, p := overPipe(t, nil)
	p.send(strings.Repeat("x", 10_000))
	var broken *ipc.ProtocolError
	require.ErrorAs(t, c.end(), &broken)
	require.Len(t, broken.Head, 256)
}

func TestUnixSocketsAreNotLeaked(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts descriptors in /proc")
	}
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(entries)
	}
	ends := []func(a, b *conn){
		func(a, _ *conn) { a.Close() },
		func(a, _ *conn) { a.Drain() },
		func(a, b *conn) { b.Close(); a.Close() },
	}
	first, second := unixSockets(t) // whatever the runtime opens once is open now
	require.NoError(t, first.Close())
	require.NoError(t, second.Close())
	before := descriptors()
	for i := range 30 {
		rw, peer := unixSockets(t)
		a, b := start(t, rw, nil), start(t, peer, nil)
		_, err := a.Call(t.Context(), handle(1), nil)
		requireError(t, err, ipc.CodeUnknownType, ipc.Done)
		ends[i%len(ends)](a, b)
		_, _ = a.end(), b.end()
	}
	require.Equal(t, before, descriptors())
}

func TestHandlerThatExitsItsGoroutineIsAnswered(t *testing.T) {
	a, b := ipc.Pipe()
	host := ipc.NewConn(a, nil)
	module := ipc.NewConn(b, &ipc.Options{Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) {
		runtime.Goexit()
		return ipc.Data{}, nil
	}})
	ended := make(chan error, 2)
	go func() { ended <- host.Run(context.Background()) }()
	go func() { ended <- module.Run(context.Background()) }()
	_, err := host.Handle(t.Context(), &ipc.Message{Topic: "t"}, nil, nil)
	require.ErrorContains(t, err, "ended without an answer")
	host.Close()
	<-ended
	<-ended
}

// mute is a peer that takes nothing and says nothing, and never goes away by itself.
type mute struct{ io.ReadWriteCloser }

func (mute) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestConnectionThatCannotWriteEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ipc.Pipe()
		defer b.Close()
		c := ipc.NewConn(mute{a}, nil)
		ended := make(chan error, 1)
		go func() { ended <- c.Run(context.Background()) }()
		began := time.Now()
		_, err := c.Handle(t.Context(), &ipc.Message{Topic: "t"}, nil, nil)
		require.Equal(t, ipc.Unknown, ipc.OutcomeOf(err))
		require.ErrorIs(t, <-ended, io.ErrClosedPipe)
		require.Equal(t, time.Second, time.Since(began))
	})
}
