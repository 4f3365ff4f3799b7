package admin_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

func TestStatus(t *testing.T) {
	s := serveParrot(t)

	info, err := s.client.Version(t.Context())
	require.NoError(t, err)
	require.Equal(t, testInfo, info)

	modules, err := s.client.Modules(t.Context())
	require.NoError(t, err)
	require.Len(t, modules, 1)
	require.Equal(t, "parrot", modules[0].Name)
	require.Equal(t, []string{"parrot.refuse", "parrot.say", "parrot.sleep"}, modules[0].Provides)

	m, err := s.client.Module(t.Context(), "parrot")
	require.NoError(t, err)
	require.Equal(t, "says what it is told", m.Description)
	require.Len(t, m.Instances, 1)
	require.Equal(t, supervisor.Ready, m.Instances[0].State)
	require.NotNil(t, m.Instances[0].ReadyAt)

	topics, err := s.client.Topics(t.Context())
	require.NoError(t, err)
	require.Len(t, topics, 3)
	require.Equal(t, "parrot.say", topics[1].Topic)
	require.Equal(t, uint64(1), topics[1].Done)

	settings, err := s.client.Settings(t.Context(), "parrot")
	require.NoError(t, err)
	require.Contains(t, settings, manifest.Setting{Key: "config.token", Value: "(secret)", Origin: "env PARROT_TOKEN"})
}

func TestCall(t *testing.T) {
	s := serveParrot(t)
	data, err := s.client.Call(t.Context(), admin.CallRequest{Topic: "parrot.say", Payload: []byte("hello"), Priority: ipc.Urgent})
	require.NoError(t, err)
	require.JSONEq(t, `{"payload":"aGVsbG8="}`, string(data))

	for name, c := range map[string]struct {
		req  admin.CallRequest
		want ipc.Error
	}{
		"the module's error": {
			admin.CallRequest{Topic: "parrot.refuse"},
			ipc.Error{Code: "TOO_EARLY", Message: "it is night", Outcome: ipc.Done, Origin: "parrot:1.2.3/instance-001"},
		},
		"unknown topic": {
			admin.CallRequest{Topic: "parrot.sya"},
			ipc.Error{Code: ipc.CodeNoProvider, Message: "no module provides parrot.sya; did you mean parrot.say? `ixt topics` lists what there is",
				Outcome: ipc.NotDelivered, Origin: ipc.Supervisor},
		},
		"no topic": {
			admin.CallRequest{},
			ipc.Error{Code: ipc.CodeInvalidInput, Message: "the request names no topic", Outcome: ipc.NotDelivered, Origin: ipc.Supervisor},
		},
		"too large": {
			admin.CallRequest{Topic: "parrot.say", Payload: make([]byte, ipc.DefaultMaxFrame)},
			ipc.Error{Code: ipc.CodeFrameTooLarge, Message: "a payload of 16777216 bytes does not fit into a frame of 16777216",
				Outcome: ipc.NotDelivered, Origin: ipc.Supervisor},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.client.Call(t.Context(), c.req)
			var e *ipc.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.want, *e)
		})
	}

	_, err = s.client.Call(t.Context(), admin.CallRequest{Topic: "parrot.sleep", TTLMS: 1})
	require.ErrorIs(t, err, &ipc.Error{Code: ipc.CodeTimeout}) // who says so first, supervisor or module, decides the outcome
}

func TestClientThatGoesAwayCancelsItsCall(t *testing.T) {
	s := serveParrot(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := s.client.Call(ctx, admin.CallRequest{Topic: "parrot.sleep"})
		ended <- err
	}()
	awaitLog(t, s.client, "asleep")
	cancel()
	err := <-ended
	require.ErrorIs(t, err, &ipc.Error{Code: ipc.CodeCancelled})
	require.Equal(t, ipc.Unknown, ipc.OutcomeOf(err))
	awaitLog(t, s.client, "woken")
}

// awaitLog reads the parrot's log until it says something.
func awaitLog(t *testing.T, c *admin.Client, message string) {
	for line, err := range c.Logs(t.Context(), admin.LogQuery{Module: "parrot", Follow: true}) {
		require.NoError(t, err)
		if line.Message == message {
			return
		}
	}
	require.Fail(t, "the log ended without it", message)
}

func TestCommands(t *testing.T) {
	s := serveParrot(t)
	before, err := s.client.Module(t.Context(), "parrot")
	require.NoError(t, err)

	after, err := s.client.Restart(t.Context(), "parrot")
	require.NoError(t, err)
	require.Equal(t, supervisor.Ready, after.Instances[0].State)
	require.NotEqual(t, before.Instances[0].PID, after.Instances[0].PID)

	stopped, err := s.client.Stop(t.Context(), "parrot")
	require.NoError(t, err)
	require.Equal(t, supervisor.Stopped, stopped.Instances[0].State)
	_, err = s.client.Call(t.Context(), admin.CallRequest{Topic: "parrot.say"})
	require.ErrorIs(t, err, &ipc.Error{Code: ipc.CodeUnavailable})

	_, err = s.client.Start(t.Context(), "parrot")
	require.NoError(t, err)
	_, err = s.client.Call(t.Context(), admin.CallRequest{Topic: "parrot.say"})
	require.NoError(t, err)

	_, err = s.client.Start(t.Context(), "parort")
	require.ErrorContains(t, err, "did you mean parrot?")
}

func TestStreamsEndWithTheSupervisor(t *testing.T) {
	s := serveParrot(t)
	var texts []string
	for e, err := range s.client.Journal(t.Context(), admin.JournalQuery{Follow: true}) {
		require.NoError(t, err)
		require.Equal(t, uint64(len(texts)+1), e.Seq)
		texts = append(texts, e.Text)
		if e.State == supervisor.Ready {
			go s.stop()
		}
	}
	require.Equal(t, "stopped", texts[len(texts)-1])
}

func TestJournalSelection(t *testing.T) {
	s := serveParrot(t)
	read := func(q admin.JournalQuery) (seqs []uint64) {
		for e, err := range s.client.Journal(t.Context(), q) {
			require.NoError(t, err)
			seqs = append(seqs, e.Seq)
		}
		return seqs
	}
	all := read(admin.JournalQuery{})
	require.Greater(t, len(all), 3)
	require.Equal(t, all[2:], read(admin.JournalQuery{After: 2}))
	require.Equal(t, all[len(all)-2:], read(admin.JournalQuery{Last: 2}))
	require.Empty(t, read(admin.JournalQuery{Last: -1}))
	require.Empty(t, read(admin.JournalQuery{After: all[len(all)-1]}))
}

func TestLogs(t *testing.T) {
	s := serveParrot(t)
	for _, word := range []string{"one", "two", "three"} {
		_, err := s.client.Call(t.Context(), admin.CallRequest{Topic: "parrot.say", Payload: []byte(word)})
		require.NoError(t, err)
	}
	var fields []string
	for line, err := range s.client.Logs(t.Context(), admin.LogQuery{Follow: true}) {
		require.NoError(t, err)
		require.Equal(t, "parrot", line.Module)
		require.Equal(t, "spoken", line.Message)
		require.Equal(t, "warn", line.Level)
		fields = append(fields, string(line.Fields["word"]))
		if len(fields) == 4 { // the first call was the one that waited for it
			break
		}
	}
	require.Equal(t, `"three"`, fields[3])

	for _, err := range s.client.Logs(t.Context(), admin.LogQuery{Module: "parort"}) {
		require.ErrorContains(t, err, "did you mean parrot?")
	}
}

// TestRequests speaks HTTP by hand, as a program in another language would.
func TestRequests(t *testing.T) {
	s := serveParrot(t)
	by := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.socket)
	}}}
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"call": {"POST", "/v1/call", `{"topic":"parrot.say","payload":"aGk="}`, 200, `{"data":{"payload":"aGk="}}`},
		"the module's error": {"POST", "/v1/call", `{"topic":"parrot.refuse"}`, 422,
			`{"code":"TOO_EARLY","message":"it is night","outcome":"done","origin":"parrot:1.2.3/instance-001"}`},
		"no JSON": {"POST", "/v1/call", `hello`, 400,
			`{"code":"INVALID_INPUT","message":"the request's body: invalid character 'h' looking for beginning of value","outcome":"not_delivered","origin":"supervisor"}`},
		"too long": {"POST", "/v1/call", `"` + strings.Repeat("a", ipc.DefaultMaxFrame+64<<10), 413,
			`{"code":"FRAME_TOO_LARGE","message":"the request is longer than 16842752 bytes","outcome":"not_delivered","origin":"supervisor"}`},
		"unknown endpoint": {"GET", "/v2/modules", "", 404,
			`{"code":"UNKNOWN_TYPE","message":"there is no GET /v2/modules","outcome":"not_delivered","origin":"supervisor"}`},
		"wrong method": {"DELETE", "/v1/modules/parrot", "", 404,
			`{"code":"UNKNOWN_TYPE","message":"there is no DELETE /v1/modules/parrot","outcome":"not_delivered","origin":"supervisor"}`},
		"unknown command": {"POST", "/v1/modules/parrot/feed", "", 404,
			`{"code":"UNKNOWN_TYPE","message":"there is no command \"feed\"; use start, stop or restart","outcome":"not_delivered","origin":"supervisor"}`},
		"no number": {"GET", "/v1/journal?last=some", "", 400,
			`{"code":"INVALID_INPUT","message":"last=some is not a number; write 0 or more","outcome":"not_delivered","origin":"supervisor"}`},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), c.method, "http://ixt"+c.path, strings.NewReader(c.body))
			require.NoError(t, err)
			response, err := by.Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			require.Equal(t, c.status, response.StatusCode)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.JSONEq(t, c.want, string(body))
		})
	}
}

func TestSupervisorThatDiesLeavesTheOutcomeUnknown(t *testing.T) {
	path := shortDir(t) + "/admin.sock"
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
	}()
	_, err = admin.NewClient([]string{path}).Call(t.Context(), admin.CallRequest{Topic: "parrot.say"})
	var e *ipc.Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, ipc.Unknown, e.Outcome)

	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	_, err = admin.NewClient([]string{path}).Call(ctx, admin.CallRequest{Topic: "parrot.say"})
	require.ErrorIs(t, err, &ipc.Error{Code: ipc.CodeTimeout})
}
