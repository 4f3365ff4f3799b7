package ipc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

func itoa(n int64) string { return fmt.Sprint(n) }

// request is a frame that asks for topic t.
func request(id int64) string {
	return `{"id":` + itoa(id) + `,"type":"handle","message":{"topic":"t"}}`
}

// untilEnd is a handler that ends with its ctx and then reports why.
func untilEnd(ended chan<- error) ipc.Handler {
	return func(ctx context.Context, _ *ipc.Envelope) (ipc.Data, error) {
		<-ctx.Done()
		ended <- ctx.Err()
		return ipc.Data{}, ctx.Err()
	}
}

func TestTheHandlersContextEnds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		req   string
		end   func(*conn, *peer)
		cause error
		code  string // of the answer; "": there is nobody to answer
		after time.Duration
	}{
		{name: "with its TTL", req: `{"id":1,"type":"handle","message":{"topic":"t","ttl_ms":300}}`,
			end: func(*conn, *peer) {}, cause: context.DeadlineExceeded, code: ipc.CodeTimeout, after: 300 * time.Millisecond},
		{name: "with a service request's TTL", req: `{"id":1,"type":"service_request","service":"kv","method":"get","ttl_ms":300}`,
			end: func(*conn, *peer) {}, cause: context.DeadlineExceeded, code: ipc.CodeTimeout, after: 300 * time.Millisecond},
		{name: "with a cancel", req: request(1),
			end:   func(_ *conn, p *peer) { p.send(`{"type":"cancel","id":9}`, `{"type":"cancel","id":1}`) },
			cause: context.Canceled, code: ipc.CodeCancelled},
		{name: "with the peer", req: request(1), end: func(_ *conn, p *peer) { p.close() }, cause: context.Canceled},
		{name: "with the connection", req: request(1), end: func(c *conn, _ *peer) { c.Close() }, cause: context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan error, 1)
				c, p := overPipe(t, &ipc.Options{Handler: untilEnd(ended)})
				began := time.Now()
				p.send(tt.req)
				synctest.Wait()
				require.Equal(t, 1, c.Stats().Open)
				tt.end(c, p)
				require.ErrorIs(t, <-ended, tt.cause)
				require.Equal(t, tt.after, time.Since(began))
				if tt.code != "" {
					require.Equal(t, tt.code, p.envelope().Error.Code)
					p.send(`{"type":"cancel","id":1}`) // it is answered: ignored
				}
				synctest.Wait()
				require.Zero(t, c.Stats().Open)
			})
		})
	}
}

func TestWhatAHandlerReturnsIsAnswered(t *testing.T) {
	object := ipc.ObjectData([]byte(`{"a":1}`))
	for _, tt := range []struct {
		name string
		req  string // default: a handle
		data ipc.Data
		err  error
		want string
	}{
		{name: "data", data: object, want: `{"type":"response","status":"success","data":{"a":1}}`},
		{name: "nothing", want: `{"type":"response","status":"success"}`},
		{name: "its own error", err: &ipc.Error{Code: "NO_PAPER", Message: "out", Details: json.RawMessage(`{"tray":2}`), RetryAfter: 1500 * time.Microsecond},
			want: `{"type":"response","status":"error","error":{"code":"NO_PAPER","message":"out","details":{"tray":2},"retry_after_ms":2}}`},
		{name: "a wrapped error", err: fmt.Errorf("tray 2: %w", &ipc.Error{Code: "NO_PAPER", Message: "out"}),
			want: `{"type":"response","status":"error","error":{"code":"NO_PAPER","message":"out"}}`},
		{name: "any error", err: errors.New("broken"),
			want: `{"type":"response","status":"error","error":{"code":"HANDLER_ERROR","message":"broken"}}`},
		{name: "an error and data", data: object, err: errors.New("broken"),
			want: `{"type":"response","status":"error","error":{"code":"HANDLER_ERROR","message":"broken"}}`},
		{name: "a service", req: `{"id":1,"type":"service_request","service":"kv","method":"get"}`, data: object,
			want: `{"type":"service_response","status":"success","data":{"a":1}}`},
		{name: "data that is too large", data: ipc.ObjectData([]byte(`{"a":"` + strings.Repeat("a", 500) + `"}`)),
			want: `{"type":"response","status":"error","error":{"code":"FRAME_TOO_LARGE","outcome":"done",
				"message":"a frame of 577 bytes is over the limit of 500; raise max_frame or send less"}}`},
		{name: "an error that is too large", err: &ipc.Error{Code: "X", Message: strings.Repeat("a", 500)},
			want: `{"type":"response","status":"error","error":{"code":"FRAME_TOO_LARGE","outcome":"done",
				"message":"a frame of 593 bytes is over the limit of 500; raise max_frame or send less"}}`},
		{name: "data that is not JSON", data: ipc.ObjectData([]byte(`{"a"`)),
			want: `{"type":"response","status":"error","error":{"code":"HANDLER_ERROR","outcome":"done",
				"message":"json: error calling MarshalJSON for type ipc.Data: unexpected end of JSON input"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, p := overPipe(t, &ipc.Options{MaxFrame: 500, Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) {
				return tt.data, tt.err
			}})
			if tt.req == "" {
				tt.req = request(1)
			}
			p.send(tt.req)
			p.expect(`{"id":1,` + tt.want[1:])
			require.Zero(t, c.Stats().Open)
		})
	}
}

func TestMaxInboundAnswersBusy(t *testing.T) {
	release := make(chan struct{})
	c, p := overPipe(t, &ipc.Options{MaxInbound: 2, Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) {
		<-release
		return ipc.Data{}, nil
	}})
	p.send(request(1), request(2), request(3))
	e := p.envelope()
	require.EqualValues(t, 3, e.ID)
	require.Equal(t, ipc.CodeBusy, e.Error.Code)
	require.Equal(t, 2, c.Stats().Open)
	close(release)
	ids := []int64{p.envelope().ID, p.envelope().ID}
	require.ElementsMatch(t, []int64{1, 2}, ids)
	p.send(request(4))
	require.Equal(t, ipc.StatusSuccess, p.envelope().Status)
}

// Who has read an answer may ask again at once: the place is free before the answer's bytes leave, although the handler's
// goroutine, which gives it, has had no chance to run since there was room.
func TestAnAnswerFreesItsPlace(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		c, p, g := heldBack(t, &ipc.Options{MaxQueued: 1, Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) { return ipc.Data{}, nil }})
		var open []int
		g.onWrite = func() { open = append(open, c.Stats().Open) }
		c.fill(t)
		p.send(request(1))
		synctest.Wait()
		close(g.writes)
		synctest.Wait()
		require.Equal(t, []int{1, 0, 0}, open, "before each of the three writes")
	})
}

func TestAFloodWithoutReadingEndsOnlyThatConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := &ipc.Options{MaxInbound: 1, MaxQueued: 10_000, Handler: func(ctx context.Context, _ *ipc.Envelope) (ipc.Data, error) {
			<-ctx.Done()
			return ipc.Data{}, ctx.Err()
		}}
		c, p := overPipe(t, opts)
		other, calm := overPipe(t, opts)
		sent := 0
		for id := int64(1); ; id++ {
			if _, err := p.rw.Write(frame(request(id))); err != nil {
				break
			}
			sent++
		}
		require.Less(t, sent*100, 1<<20)
		var broken *ipc.ProtocolError
		require.ErrorAs(t, c.end(), &broken)
		require.Contains(t, broken.Reason, "without reading the answers")

		calm.send(request(1), request(2))
		require.Equal(t, ipc.CodeBusy, calm.envelope().Error.Code)
		require.NoError(t, other.Err())
	})
}

func TestAnOversizeFrameIsSkipped(t *testing.T) {
	padding := strings.Repeat("x", 10_000)
	for _, tt := range []struct {
		name   string
		frame  string
		answer string // code of the answer; "": none
	}{
		{"request", `{"id":5,"type":"handle","message":{"payload":"` + padding + `"}}`, ipc.CodeFrameTooLarge},
		{"request of the host's service", `{"type":"service_request","service":"kv","id":5,"params":{"x":"` + padding + `"}}`, ipc.CodeFrameTooLarge},
		{"type and id behind the padding", `{"message":{"payload":"` + padding + `"},"id":5,"type":"handle"}`, ""},
		{"notification", `{"type":"note","x":"` + padding + `"}`, ""},
		{"cancel", `{"type":"cancel","id":5,"x":"` + padding + `"}`, ""},
		{"answer nobody waits for", `{"type":"response","id":5,"status":"success","data":{"x":"` + padding + `"}}`, ""},
		{"id too large", `{"id":9007199254740992,"type":"handle","x":"` + padding + `"}`, ""},
		{"not JSON", padding, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, p := overPipe(t, &ipc.Options{MaxFrame: 1000, Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) { return ipc.Data{}, nil }})
			p.send(tt.frame, request(6))
			if tt.answer != "" {
				e := p.envelope()
				require.EqualValues(t, 5, e.ID)
				require.Equal(t, tt.answer, e.Error.Code)
				require.Contains(t, e.Error.Message, fmt.Sprintf("%d bytes is over the limit of 1000", len(tt.frame)))
			}
			p.expect(`{"id":6,"type":"response","status":"success"}`)
			require.Equal(t, 1, c.Stats().Skipped)
		})
	}
}

func TestAnOversizeAnswerEndsItsCall(t *testing.T) {
	for _, req := range []*ipc.Envelope{handle(1), {Type: ipc.TypeServiceRequest, Service: "kv", Method: "get"}} {
		c, p := overPipe(t, &ipc.Options{MaxFrame: 1000})
		call := c.begin(t.Context(), req)
		answer := map[string]string{ipc.TypeHandle: ipc.TypeResponse, ipc.TypeServiceRequest: ipc.TypeServiceResponse}[p.envelope().Type]
		p.send(`{"id":1,"type":"` + answer + `","status":"success","data":{"x":"` + strings.Repeat("x", 1000) + `"}}`)
		_, err := call.wait()
		e := requireError(t, err, ipc.CodeFrameTooLarge, ipc.Done)
		require.Empty(t, e.Origin, "the answer's reader found it out")
	}
}

// The frame limit that init sets holds for the very next frame, although this side has been waiting for it since before.
func TestEnableHoldsForTheNextFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := overPipe(t, &ipc.Options{MaxFrame: 200, Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) { return ipc.Data{}, nil }})
		synctest.Wait()
		c.Enable(nil, 1000)
		p.send(`{"id":1,"type":"handle","message":{"topic":"t","payload":"` + strings.Repeat("A", 500) + `"}}`)
		p.expect(`{"id":1,"type":"response","status":"success"}`)
	})
}

func TestNotificationsComeInOrder(t *testing.T) {
	got := make(chan string, 10)
	_, p := overPipe(t, &ipc.Options{Notify: func(e *ipc.Envelope) { got <- e.Type }})
	p.send(`{"type":"a"}`, `{"type":"b","id":0}`, `{"type":"c","id":null}`, `{"type":"cancel","id":3}`, `{"type":"d"}`)
	for _, want := range []string{"a", "b", "c", "d"} {
		require.Equal(t, want, <-got)
	}
}

func TestRequestsAreUnknownByDefault(t *testing.T) {
	_, p := overPipe(t, nil)
	p.send(`{"id":4,"type":"dance"}`, `{"type":"note"}`)
	p.expect(`{"id":4,"type":"response","status":"error","error":{"code":"UNKNOWN_TYPE","message":"requests of type \"dance\" are not served here"}}`)
}

// What is being served can be asked for at any time, also while an answer waits for room behind others.
func TestServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doors := make(chan struct{})
		c, p, g := heldBack(t, &ipc.Options{MaxQueued: 1, Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) {
			<-doors
			return ipc.Data{}, nil
		}})
		serving := func() (topics []string) {
			synctest.Wait()
			c.Serving(func(req *ipc.Envelope) { topics = append(topics, req.Message.Topic) })
			slices.Sort(topics)
			return topics
		}
		c.fill(t)
		for i, topic := range []string{"a.a", "a.b", "a.c"} {
			p.send(`{"type":"handle","id":` + itoa(int64(i+1)) + `,"message":{"topic":"` + topic + `"}}`)
		}
		require.Equal(t, []string{"a.a", "a.b", "a.c"}, serving())
		close(doors)
		require.Equal(t, []string{"a.a", "a.b", "a.c"}, serving(), "the answers wait for room")
		require.True(t, c.Serves(2))
		close(g.writes)
		for range 5 {
			p.receive()
		}
		require.Empty(t, serving())
		require.False(t, c.Serves(2))
	})
}

// For the race detector, too, a handler sees what the peer did before it sent the request, whatever the peer writes with.
func TestWhatThePeerDidComesFirst(t *testing.T) {
	a, b := unixSockets(t)
	done := 0
	start(t, a, &ipc.Options{Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) {
		return ipc.JSONData(map[string]int{"done": done})
	}})
	p := &peer{t, b}
	defer p.close()
	done = 7
	p.send(request(1))
	require.Contains(t, p.receive(), `"done":7`)
}
