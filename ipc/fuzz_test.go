package ipc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/ixtrun/ixt/ipc"
)

// FuzzFrame gives a Conn any bytes as its peer. It must end, say why in one of the ways it documents, answer only with frames
// that are well formed, and spend no more memory than the bytes allow.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{request(1), `{"type":"response","id":1,"status":"success"}`, `{"type":"cancel","id":1}`, "x", "", strings.Repeat("x", 600)} {
		f.Add(frame(s))
		f.Add(append(frame(s), frame(request(2))...))
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0x7f, '{'})
	f.Add([]byte{4, 0, 0, 0x80})
	f.Add([]byte{4, 0, 0, 0x80, 0, 0, 0, 0})
	f.Add([]byte{5, 0, 0, 0x80, 2, 0, 0, 0, '{'})
	attached := frame(request(1) + attachment + strings.Repeat("x", 100))
	f.Add(attached)
	f.Add(append(attached, frame(`{"type":"response","id":1,"status":"success","data":{"payload":""}}`+attachment)...))
	f.Fuzz(func(t *testing.T, stream []byte) {
		transport := replay(bytes.NewReader(stream))
		allocated := allocatedBy(func() {
			c := ipc.NewConn(transport, &ipc.Options{MaxFrame: 500, MaxInbound: 2, MaxQueued: 2000})
			c.Enable([]string{ipc.ExtCancel, ipc.ExtRaw}, 0)
			err := c.Run(context.Background())
			var broken *ipc.ProtocolError
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &broken) {
				t.Fatalf("ended with %v", err)
			}
		})
		requireBounded(t, allocated, len(stream))
		for written := bytes.NewReader(transport.written.Bytes()); written.Len() > 0; {
			body, err := readFrame(written)
			require.NoError(t, err)
			require.LessOrEqual(t, len(body), 500)
			body, _, _ = strings.Cut(body, attachment)
			e, err := ipc.DecodeEnvelope([]byte(body))
			require.NoError(t, err)
			require.Contains(t, []string{ipc.TypeResponse, ipc.TypeServiceResponse}, e.Type)
		}
	})
}

// FuzzEnvelope decodes any frame. What can be decoded must come back unchanged from its own encoding.
func FuzzEnvelope(f *testing.F) {
	for _, line := range goldenFrames(f) {
		f.Add([]byte(line))
	}
	f.Add([]byte(`{"type":"handle","id":9007199254740991,"message":{"priority":99,"ttl_ms":-1},"context":null,"extensions":[]}`))
	f.Add([]byte(`{"type":"response","id":1,"error":{"retry_after_ms":9223372036854775807,"details":null}}`))
	f.Add([]byte(`{"type":"a","type":"b","ID":3,"data":{"\ud800":"<\u2028>"}}`))
	f.Add([]byte(strings.Repeat("[", 20_000)))
	f.Fuzz(func(t *testing.T, body []byte) {
		var e *ipc.Envelope
		var err error
		requireBounded(t, allocatedBy(func() { e, err = ipc.DecodeEnvelope(body) }), len(body))
		if err != nil {
			var broken *ipc.ProtocolError
			require.ErrorAs(t, err, &broken)
			return
		}
		again := roundTrip(t, e)
		require.Equal(t, again, roundTrip(t, again))
		require.Equal(t, e.Type, again.Type)
		require.Equal(t, e.TTL(), again.TTL())
		require.Equal(t, e.Status, again.Status)
		require.Equal(t, e.Message, again.Message)
		require.Equal(t, e.Context, again.Context)
		if !e.Data.IsZero() {
			require.JSONEq(t, string(e.Data.JSON()), string(again.Data.JSON()))
		}
	})
}

func roundTrip(t *testing.T, e *ipc.Envelope) *ipc.Envelope {
	encoded, err := ipc.EncodeEnvelope(e)
	require.NoError(t, err)
	require.True(t, json.Valid(encoded))
	if e.ID != 0 { // the encoding leaves the id to the moment of writing
		encoded = append([]byte(`{"id":`+itoa(e.ID)+`,`), encoded[1:]...)
	}
	again, err := ipc.DecodeEnvelope(encoded)
	require.NoError(t, err)
	require.Equal(t, e.ID, again.ID)
	return again
}

// requireBounded allows the decoder a fixed cost and a small multiple of what it was given.
func requireBounded(t *testing.T, allocated uint64, given int) {
	t.Helper()
	require.Less(t, allocated, uint64(1<<20+100*given))
}

// goldenFrames returns the frames of the golden conversations.
func goldenFrames(t testing.TB) []string {
	files, err := filepath.Glob("testdata/conversations/*.txtar")
	require.NoError(t, err)
	var frames []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, section := range txtar.Parse(data).Files {
			for line := range strings.Lines(string(section.Data)) {
				if line[0] == '>' || line[0] == '<' {
					frames = append(frames, strings.TrimSpace(line[1:]))
				}
			}
		}
	}
	require.NotEmpty(t, frames)
	return frames
}
