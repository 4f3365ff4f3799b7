package ipc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/ixtrun/ixt/ipc"
)

var update = flag.Bool("update", false, "rewrite testdata/conversations with what a Conn really does")

// TestConversations replays testdata/conversations, whose README says how they are written. Each is played with a real Conn
// as host, as module, or as one after the other; the script plays the other end.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/conversations/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			require.NotEmpty(t, archive.Comment, "says which rule it shows")
			for i := range archive.Files {
				section := &archive.Files[i]
				sides, ok := map[string][]string{"both": {"host", "module"}, "host": {"host"}, "module": {"module"}}[section.Name]
				require.True(t, ok, "section %q", section.Name)
				for _, side := range sides {
					t.Run(side, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							got := newReplay(t, side, string(section.Data)).run()
							if *update {
								section.Data = []byte(got)
							}
							require.Equal(t, string(section.Data), got)
						})
					})
				}
			}
			if *update {
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
			}
		})
	}
}

// conversation is one replay: a Conn as one side, the script as the other.
type conversation struct {
	t      *testing.T
	side   string // that of the Conn
	lines  []string
	conn   *conn
	script *peer
	calls  map[string]*scripted

	mu       sync.Mutex
	frames   []string // written by the Conn, not yet expected
	requests map[int64]*asked
}

// scripted is a call that the Conn was told to make.
type scripted struct {
	cancel context.CancelFunc
	done   chan struct{}
	result string
}

// asked is a request that the Conn got.
type asked struct {
	ctx    context.Context
	req    *ipc.Envelope
	answer chan scriptedAnswer
}

type scriptedAnswer struct {
	data ipc.Data
	err  error
}

func newReplay(t *testing.T, side, text string) *conversation {
	r := &conversation{
		t: t, side: side, lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n"),
		calls: make(map[string]*scripted), requests: make(map[int64]*asked),
	}
	opts := &ipc.Options{Handler: r.handle}
	for _, line := range r.lines {
		if option, ok := strings.CutPrefix(line, "with "); ok {
			_, err := fmt.Sscanf(option, "max_frame %d", &opts.MaxFrame)
			if err != nil {
				_, err = fmt.Sscanf(option, "max_inbound %d", &opts.MaxInbound)
			}
			require.NoError(t, err, line)
		}
	}
	r.conn, r.script = overPipe(t, opts)
	go func() {
		for {
			body, err := readFrame(r.script.rw)
			if err != nil {
				return
			}
			r.mu.Lock()
			r.frames = append(r.frames, body)
			r.mu.Unlock()
		}
	}()
	return r
}

// run plays every line and returns the conversation as it went.
func (r *conversation) run() string {
	mine, theirs := ">", "<"
	if r.side == "module" {
		mine, theirs = theirs, mine
	}
	var out strings.Builder
	for _, line := range r.lines {
		mark, rest, _ := strings.Cut(line, " ")
		switch mark {
		case mine:
			line = mine + " " + r.written()
		case theirs:
			r.script.send(rest)
		case "do":
			r.do(rest)
		case "result":
			if side, what, _ := strings.Cut(rest, ": "); side == r.side {
				line = "result " + side + ": " + r.result(what)
			}
		case "wait":
			d, err := time.ParseDuration(rest)
			require.NoError(r.t, err, line)
			<-time.After(d)
		case "with", "#", "":
		default:
			require.Fail(r.t, "not a line of a conversation", line)
		}
		synctest.Wait()
		out.WriteString(line + "\n")
	}
	for extra := r.written(); extra != nothing; extra = r.written() {
		out.WriteString(mine + " " + extra + "\n")
	}
	return out.String()
}

const nothing = "(nothing)"

func (r *conversation) written() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.frames) == 0 {
		return nothing
	}
	f := r.frames[0]
	r.frames = r.frames[1:]
	return f
}

// do carries out what one side is asked to do. The script needs no asking, except to leave.
func (r *conversation) do(order string) {
	side, order, _ := strings.Cut(order, ": ")
	verb, rest, _ := strings.Cut(order, " ")
	name, body, _ := strings.Cut(rest, " ")
	if side != r.side {
		if verb == "close" {
			r.script.close()
		}
		return
	}
	switch verb {
	case "init", "call":
		r.call(verb, name, body)
	case "give-up":
		r.calls[name].cancel()
	case "answer":
		data := ipc.ObjectData([]byte(body))
		if b, ok := data.Payload(); ok {
			data = ipc.PayloadData(b) // as an SDK does
		}
		r.answer(name, scriptedAnswer{data: data})
	case "refuse":
		e := new(ipc.Error)
		require.NoError(r.t, json.Unmarshal([]byte(body), e), order)
		r.answer(name, scriptedAnswer{err: e})
	case "enable":
		r.conn.Enable([]string{name}, 0)
	case "drain":
		r.conn.Drain()
	case "close":
		r.conn.Close()
	default:
		require.Fail(r.t, "not an order", order)
	}
}

// call begins a call, `NAME {request}` or `NAME within 1s {request}`.
func (r *conversation) call(verb, name, body string) {
	ctx, cancel := context.WithCancel(context.Background())
	r.t.Cleanup(cancel)
	if limit, ok := strings.CutPrefix(body, "within "); ok {
		var text string
		text, body, _ = strings.Cut(limit, " ")
		d, err := time.ParseDuration(text)
		require.NoError(r.t, err)
		ctx, cancel = context.WithTimeout(ctx, d)
		r.t.Cleanup(cancel)
	}
	req := new(ipc.Envelope)
	require.NoError(r.t, json.Unmarshal([]byte(body), req), body)
	if m := req.Message; m != nil {
		if b, err := m.Payload.Decode(); err == nil {
			m.Payload = ipc.EncodePayload(b) // as a supervisor does
		}
	}
	call := &scripted{cancel: cancel, done: make(chan struct{})}
	r.calls[name] = call
	go func() {
		defer close(call.done)
		if verb == "call" {
			data, err := r.conn.Call(ctx, req, nil)
			call.result = outcome(string(data.JSON()), err)
			return
		}
		result, err := r.conn.Init(ctx, ipc.InitParams{
			Protocol: req.Protocol, ModuleID: req.ModuleID, Config: req.Config, Extensions: req.Extensions, MaxFrame: req.MaxFrame,
		})
		data, _ := json.Marshal(result)
		call.result = outcome(string(data), err)
	}()
}

func outcome(data string, err error) string {
	var e *ipc.Error
	switch {
	case err == nil:
		return "success " + data
	case errors.As(err, &e):
		return fmt.Sprintf("error %s %s", e.Code, ipc.OutcomeOf(e))
	}
	return err.Error()
}

// handle is the Conn's handler: it waits for the script's answer, as a module of ours would for its own work.
func (r *conversation) handle(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
	kept := *req
	a := &asked{ctx, &kept, make(chan scriptedAnswer)}
	r.mu.Lock()
	r.requests[req.ID] = a
	r.mu.Unlock()
	select {
	case answer := <-a.answer:
		return answer.data, answer.err
	case <-r.conn.Done():
		return ipc.Data{}, ctx.Err()
	}
}

func (r *conversation) request(id string) *asked {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.requests {
		if itoa(a.req.ID) == id {
			return a
		}
	}
	return nil
}

func (r *conversation) answer(id string, answer scriptedAnswer) {
	a := r.request(id)
	require.NotNil(r.t, a, "no request %s", id)
	var result ipc.InitResult
	if a.req.Type == ipc.TypeInit && json.Unmarshal(bytes.Clone(answer.data.JSON()), &result) == nil {
		r.conn.Enable(result.Extensions, a.req.MaxFrame) // as an SDK does
	}
	select {
	case a.answer <- answer:
	case <-r.conn.Done():
	}
}

// result says how something stands: a call by its name, "request ID" or "connection".
func (r *conversation) result(what string) string {
	name, rest, _ := strings.Cut(what, " ")
	switch name {
	case "request":
		id, _, _ := strings.Cut(rest, " ")
		switch a := r.request(id); {
		case a == nil:
			return "request " + id + " never came"
		case a.ctx.Err() != nil:
			return "request " + id + " " + ended(a.ctx.Err())
		default:
			return "request " + id + " is open: " + a.req.Type
		}
	case "connection":
		select {
		case <-r.conn.returned:
			return "connection ended: " + ended(r.conn.err)
		default:
			s := r.conn.Stats()
			return fmt.Sprintf("connection is open: late answers %d, skipped frames %d", s.Late, s.Skipped)
		}
	}
	call := r.calls[name]
	require.NotNil(r.t, call, "no call %q", name)
	select {
	case <-call.done:
		return name + " " + call.result
	default:
		return name + " waits"
	}
}

func ended(err error) string {
	switch {
	case err == nil:
		return "drained"
	case errors.Is(err, io.EOF):
		return "the peer has gone"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "out of time"
	}
	return err.Error()
}
