package ipc_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

func TestCallEndsWithItsContext(t *testing.T) {
	timeout := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), time.Second)
	}
	giveUp := func() (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		return ctx, cancel
	}
	for _, tt := range []struct {
		name    string
		ctx     func() (context.Context, context.CancelFunc)
		stalled bool // the peer does not read, so that the call stays queued
		code    string
		outcome ipc.Outcome
	}{
		{"deadline after writing", timeout, false, ipc.CodeTimeout, ipc.Unknown},
		{"deadline before writing", timeout, true, ipc.CodeTTLExpired, ipc.NotDelivered},
		{"given up after writing", giveUp, false, ipc.CodeCancelled, ipc.Unknown},
		{"given up before writing", giveUp, true, ipc.CodeCancelled, ipc.NotDelivered},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := overPipe(t, nil)
				if tt.stalled {
					c.stall(t.Context())
					synctest.Wait()
				}
				ctx, cancel := tt.ctx()
				defer cancel()
				began := time.Now()
				call := c.begin(ctx, handle(10))
				_, err := call.wait()
				require.Equal(t, time.Second, time.Since(began))
				requireError(t, err, tt.code, tt.outcome)
				require.Equal(t, tt.stalled, call.id.Load() == 0, "written or not")

				// A request that was withdrawn never reaches the peer.
				next := c.begin(t.Context(), &ipc.Envelope{Type: ipc.TypeHandle, Message: &ipc.Message{Topic: "next"}})
				p.receive()
				require.Equal(t, "next", p.envelope().Message.Topic)
				require.EqualValues(t, 2, waitFor(&next.id))
			})
		})
	}
}

// waitFor returns a value that is set soon.
func waitFor(v interface{ Load() int64 }) int64 {
	synctest.Wait()
	return v.Load()
}

func TestCallWithAnEndedContextIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := overPipe(t, nil)
		expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		call := c.begin(expired, handle(10))
		_, err := call.wait()
		requireError(t, err, ipc.CodeTTLExpired, ipc.NotDelivered)
		require.EqualValues(t, 1, call.settled.Load())
		requireError(t, c.Notify(expired, &ipc.Envelope{Type: "note"}), ipc.CodeTTLExpired, ipc.NotDelivered)

		c.begin(t.Context(), &ipc.Envelope{Type: ipc.TypeHealthCheck})
		p.expect(`{"id":1,"type":"health_check"}`)
	})
}

func TestIDsGrowThoughUrgentFramesOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := overPipe(t, nil)
		c.stall(t.Context())
		synctest.Wait()
		for range 3 {
			c.begin(t.Context(), handle(10))
			synctest.Wait()
		}
		c.begin(t.Context(), &ipc.Envelope{Type: ipc.TypeHealthCheck})
		c.begin(t.Context(), &ipc.Envelope{Type: ipc.TypeShutdown})
		synctest.Wait()
		var types []string
		for id := range int64(6) {
			e := p.envelope()
			require.Equal(t, id+1, e.ID)
			types = append(types, e.Type)
		}
		require.ElementsMatch(t, []string{"health_check", "shutdown"}, types[1:3], "urgent frames pass what is queued")
		require.Equal(t, []string{"handle", "handle", "handle"}, types[3:])
	})
}

func TestCancelFollowsItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := overPipe(t, nil)
		c.Enable([]string{ipc.ExtCancel}, 0)
		const calls = 200
		for i := range calls { // deadlines on both sides of the moment at which their requests are written
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
			defer cancel()
			c.begin(ctx, handle(8<<10))
		}
		<-time.After(calls / 2 * time.Millisecond)
		seen, cancelled := make(map[int64]bool), make(map[int64]bool)
		frames := make(chan *ipc.Envelope)
		go func() {
			defer close(frames)
			for {
				body, err := readFrame(p.rw)
				if err != nil {
					return
				}
				e := new(ipc.Envelope)
				if json.Unmarshal([]byte(body), e) == nil {
					frames <- e
				}
			}
		}()
		time.AfterFunc(2*calls*time.Millisecond, c.Close)
		last := int64(0)
		for e := range frames {
			if e.Type == ipc.TypeCancel {
				require.True(t, seen[e.ID], "cancel %d came before its request", e.ID)
				require.False(t, cancelled[e.ID], "cancel %d came twice", e.ID)
				cancelled[e.ID] = true
				continue
			}
			require.Greater(t, e.ID, last)
			last, seen[e.ID] = e.ID, true
		}
		require.NotEmpty(t, cancelled)
		require.Len(t, cancelled, len(seen), "each request that was written was cancelled when its deadline passed")
		require.Less(t, len(seen), calls, "some were withdrawn before they were written")
	})
}

func TestCancelPassesQueuedWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := overPipe(t, nil)
		c.Enable([]string{ipc.ExtCancel}, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		written := c.stall(ctx)
		synctest.Wait()
		c.begin(t.Context(), handle(1))
		_, err := written.wait()
		requireError(t, err, ipc.CodeTimeout, ipc.Unknown)
		p.receive()
		p.expect(`{"id":1,"type":"cancel"}`)
		require.EqualValues(t, 2, p.envelope().ID)
	})
}

func TestCancelIsSentOnlyIfNegotiated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := overPipe(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.begin(ctx, handle(1)).wait()
		requireError(t, err, ipc.CodeTimeout, ipc.Unknown)
		c.begin(t.Context(), &ipc.Envelope{Type: ipc.TypeHealthCheck})
		require.Equal(t, ipc.TypeHandle, p.envelope().Type)
		require.Equal(t, ipc.TypeHealthCheck, p.envelope().Type)
	})
}

func TestLateAnswersAreCountedAndDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := overPipe(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.begin(ctx, handle(1)).wait()
		requireError(t, err, ipc.CodeTimeout, ipc.Unknown)
		p.send(`{"type":"response","id":1,"status":"success"}`, `{"type":"response","id":77,"status":"success"}`)
		synctest.Wait()
		require.Equal(t, ipc.Stats{Late: 2}, c.Stats())

		call := c.begin(t.Context(), handle(1))
		synctest.Wait()
		p.send(`{"type":"response","id":2,"status":"success","data":{"a":1}}`)
		data, err := call.wait()
		require.NoError(t, err)
		require.JSONEq(t, `{"a":1}`, string(data.JSON()))
	})
}

func TestWhatAnAnswerMeans(t *testing.T) {
	request := &ipc.Envelope{Type: ipc.TypeHandle, Message: &ipc.Message{Topic: "t"}}
	service := &ipc.Envelope{Type: ipc.TypeServiceRequest, Service: "kv", Method: "get"}
	for _, tt := range []struct {
		name    string
		req     *ipc.Envelope
		answer  string
		data    string
		code    string
		outcome ipc.Outcome
		origin  string
	}{
		{name: "object", req: request, answer: `"type":"response","status":"success","data":{"a":[1]}`, data: `{"a":[1]}`},
		{name: "no data", req: request, answer: `"type":"response","status":"success"`, data: `{}`},
		{name: "null", req: request, answer: `"type":"response","status":"success","data":null`, data: `{}`},
		{name: "data is an array", req: request, answer: `"type":"response","status":"success","data":[]`, code: ipc.CodeProtocolError, outcome: ipc.Unknown},
		{name: "data is a string", req: request, answer: `"type":"response","status":"success","data":"{}"`, code: ipc.CodeProtocolError, outcome: ipc.Unknown},
		{name: "no status", req: request, answer: `"type":"response","data":{}`, code: ipc.CodeProtocolError, outcome: ipc.Unknown},
		{name: "unknown status", req: request, answer: `"type":"response","status":"ok"`, code: ipc.CodeProtocolError, outcome: ipc.Unknown},
		{name: "nameless error", req: request, answer: `"type":"response","status":"error"`, code: ipc.CodeHandlerError, outcome: ipc.Done, origin: ipc.FromModule},
		{name: "a module does not decide the outcome", req: request, code: ipc.CodeBusy, outcome: ipc.Done, origin: ipc.FromModule,
			answer: `"type":"response","status":"error","error":{"code":"BUSY","outcome":"not_delivered","origin":"supervisor"}`},
		{name: "not even in a host's answer", req: request, code: ipc.CodeProtocolError, outcome: ipc.Unknown,
			answer: `"type":"service_response","status":"error","error":{"code":"BUSY","outcome":"not_delivered"}`},
		{name: "a host does", req: service, code: ipc.CodeDenied, outcome: ipc.NotDelivered, origin: ipc.Supervisor,
			answer: `"type":"service_response","status":"error","error":{"code":"DENIED","outcome":"not_delivered","origin":"supervisor"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, p := overPipe(t, nil)
			call := c.begin(t.Context(), tt.req)
			p.receive()
			p.send(`{"id":1,` + tt.answer + `}`)
			data, err := call.wait()
			if tt.code == "" {
				require.NoError(t, err)
				require.JSONEq(t, tt.data, string(data.JSON()))
				return
			}
			require.Equal(t, tt.origin, requireError(t, err, tt.code, tt.outcome).Origin)
		})
	}
}
