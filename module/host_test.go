package module_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
)

// wire is a host by hand: it writes and reads one frame at a time.
type wire struct {
	t      *testing.T
	rw     io.ReadWriteCloser
	r      *bufio.Reader
	served chan error
}

// serve runs m with the other end of a pipe.
func serve(t *testing.T, m module.Module, opts *module.Options) *wire {
	host, end := ipc.Pipe()
	w := &wire{t: t, rw: host, r: bufio.NewReader(host), served: make(chan error, 1)}
	if opts == nil {
		opts = &module.Options{}
	}
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	go func() {
		w.served <- module.Serve(t.Context(), end, m, opts)
		close(w.served)
	}()
	t.Cleanup(func() {
		_ = host.Close()
		<-w.served
	})
	return w
}

func (w *wire) send(format string, args ...any) {
	w.t.Helper()
	body := fmt.Sprintf(format, args...)
	_, err := w.rw.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...))
	require.NoError(w.t, err)
}

func (w *wire) receive() string {
	w.t.Helper()
	var n uint32
	require.NoError(w.t, binary.Read(w.r, binary.LittleEndian, &n))
	body := make([]byte, n)
	_, err := io.ReadFull(w.r, body)
	require.NoError(w.t, err)
	return string(body)
}

func (w *wire) expect(want string) {
	w.t.Helper()
	require.JSONEq(w.t, want, w.receive())
}

// expectError reads an error answer.
func (w *wire) expectError(id int64, code, text string) *module.Error {
	w.t.Helper()
	e := new(ipc.Envelope)
	require.NoError(w.t, json.Unmarshal([]byte(w.receive()), e))
	require.Equal(w.t, id, e.ID)
	require.NotNil(w.t, e.Error)
	require.Equal(w.t, code, e.Error.Code, e.Error.Message)
	require.Contains(w.t, e.Error.Message, text)
	return e.Error
}

// init opens the conversation with request 1.
func (w *wire) init() {
	w.t.Helper()
	w.send(`{"type":"init","id":1,"protocol":1,"module_id":"press:1.0.0/instance-001","config":{},"extensions":["cancel","raw"]}`)
	require.Contains(w.t, w.receive(), `"status":"success"`)
}

// end waits until Serve has returned; the connection must be closed by then.
func (w *wire) end() error {
	w.t.Helper()
	err := <-w.served
	_, readErr := w.r.ReadByte()
	require.ErrorIs(w.t, readErr, io.EOF)
	return err
}

// block is a handler that waits until its ctx ends, and tells that it runs.
func block(running chan<- string) module.HandlerFunc {
	return func(ctx context.Context, msg *module.Message) (*module.Response, error) {
		running <- msg.Topic
		<-ctx.Done()
		return nil, ctx.Err()
	}
}
