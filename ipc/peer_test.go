package ipc_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// conn is a Conn that runs until the test ends.
type conn struct {
	*ipc.Conn
	returned chan struct{}
	err      error
}

// start runs a Conn over rw and ends it with the test.
func start(t *testing.T, rw io.ReadWriteCloser, opts *ipc.Options) *conn {
	c := &conn{Conn: ipc.NewConn(rw, opts), returned: make(chan struct{})}
	go func() {
		defer close(c.returned)
		c.err = c.Run(context.Background())
	}()
	t.Cleanup(func() {
		c.Close()
		<-c.returned
	})
	return c
}

// end waits until Run has returned and hands out what it returned.
func (c *conn) end() error {
	<-c.returned
	return c.err
}

// pending is a Call under way.
type pending struct {
	done     chan struct{}
	data     ipc.Data
	err      error
	id       atomic.Int64
	settled  atomic.Int64
	answered atomic.Bool
	known    atomic.Bool
}

// begin makes a Call in a goroutine of its own.
func (c *conn) begin(ctx context.Context, req *ipc.Envelope) *pending {
	p := &pending{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.data, p.err = c.Call(ctx, req, &watch{
			written: func(id int64) { p.id.Store(id) },
			settled: func(s ipc.Settlement) {
				p.settled.Add(1)
				p.answered.Store(!s.Answered.IsZero())
				p.known.Store(s.Known)
			},
		})
	}()
	return p
}

// watch is an ipc.Watch of two functions, each of which may be nil.
type watch struct {
	written func(id int64)
	settled func(ipc.Settlement)
}

func (w *watch) Written(id int64) {
	if w.written != nil {
		w.written(id)
	}
}

func (w *watch) Settled(s ipc.Settlement) {
	if w.settled != nil {
		w.settled(s)
	}
}

func (p *pending) wait() (ipc.Data, error) {
	<-p.done
	return p.data, p.err
}

// peer is the other end of a Conn, by hand: it writes and reads one frame at a time.
type peer struct {
	t  *testing.T
	rw io.ReadWriteCloser
}

func (p *peer) send(frames ...string) {
	p.t.Helper()
	for _, f := range frames {
		_, err := p.rw.Write(frame(f))
		require.NoError(p.t, err)
	}
}

// receive reads the next frame's JSON.
func (p *peer) receive() string {
	p.t.Helper()
	body, err := readFrame(p.rw)
	require.NoError(p.t, err)
	return body
}

func (p *peer) expect(want string) {
	p.t.Helper()
	require.JSONEq(p.t, want, p.receive())
}

func (p *peer) envelope() *ipc.Envelope {
	p.t.Helper()
	e := new(ipc.Envelope)
	require.NoError(p.t, json.Unmarshal([]byte(p.receive()), e))
	return e
}

func (p *peer) close() { _ = p.rw.Close() }

// attachment stands in these tests between a frame's JSON and what is attached to it.
const attachment = " | "

func frame(text string) []byte {
	body, attached, ok := strings.Cut(text, attachment)
	if !ok {
		return append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...)
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(4+len(body)+len(attached))|1<<31)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	return append(append(b, body...), attached...)
}

func readFrame(r io.Reader) (string, error) {
	var n uint32
	if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
		return "", err
	}
	body := make([]byte, n&^(1<<31))
	if _, err := io.ReadFull(r, body); err != nil || n == uint32(len(body)) {
		return string(body), err
	}
	size := binary.LittleEndian.Uint32(body)
	return string(body[4:4+size]) + attachment + string(body[4+size:]), nil
}

// overPipe connects a Conn with a peer in memory.
func overPipe(t *testing.T, opts *ipc.Options) (*conn, *peer) {
	a, b := ipc.Pipe()
	p := &peer{t, b}
	t.Cleanup(p.close)
	return start(t, a, opts), p
}

// eachTransport runs a test over every transport that a Conn is used with.
func eachTransport(t *testing.T, test func(t *testing.T, a, b io.ReadWriteCloser)) {
	t.Run("pipe", func(t *testing.T) {
		a, b := ipc.Pipe()
		test(t, a, b)
	})
	t.Run("unix socket", func(t *testing.T) {
		a, b := unixSockets(t)
		test(t, a, b)
	})
}

// unixSockets returns two connected ends of a real socket.
func unixSockets(t testing.TB) (a, b *net.UnixConn) {
	addr := &net.UnixAddr{Name: socketPath(t), Net: "unix"}
	listener, err := net.ListenUnix("unix", addr)
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	a, err = net.DialUnix("unix", nil, addr)
	require.NoError(t, err)
	b, err = listener.AcceptUnix()
	require.NoError(t, err)
	return a, b
}

// socketPath is where a socket can be: the path has to be short.
func socketPath(t testing.TB) string {
	dir, err := os.MkdirTemp("", "ixt")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, "s")
}

// wait lets time pass. No test is right or wrong by how long that is.
func wait(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

// gate holds the reads or writes of a transport back until it is opened or closed, and counts the writes.
type gate struct {
	io.ReadWriteCloser
	reads, writes chan struct{} // nil: always open
	wrote         chan struct{} // holds a write back that has been done
	written       atomic.Int64
	onWrite       func() // runs before each write; nil: nothing
	once          sync.Once
	closed        chan struct{}
}

func newGate(rw io.ReadWriteCloser) *gate {
	return &gate{ReadWriteCloser: rw, closed: make(chan struct{})}
}

// heldBack is a Conn whose writes wait until g.writes is closed, and the other end of its pipe.
func heldBack(t *testing.T, opts *ipc.Options) (c *conn, p *peer, g *gate) {
	a, b := ipc.Pipe()
	g = newGate(a)
	g.writes = make(chan struct{})
	return start(t, g, opts), &peer{t, b}, g
}

// fill leaves no room for more in a Conn whose writes are held back and whose Options.MaxQueued is 1.
func (c *conn) fill(t *testing.T) {
	for range 2 { // one is being written, one fills the queue
		require.NoError(t, c.Notify(t.Context(), &ipc.Envelope{Type: "note"}))
		synctest.Wait()
	}
}

func (g *gate) Read(b []byte) (int, error) {
	g.pass(g.reads)
	return g.ReadWriteCloser.Read(b)
}

func (g *gate) Write(b []byte) (int, error) {
	g.written.Add(1)
	g.pass(g.writes)
	if g.onWrite != nil {
		g.onWrite()
	}
	defer g.pass(g.wrote)
	return g.ReadWriteCloser.Write(b)
}

func (g *gate) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.ReadWriteCloser.Close()
}

func (g *gate) pass(door chan struct{}) {
	if door != nil {
		select {
		case <-door:
		case <-g.closed:
		}
	}
}

// handle is a request whose encoded payload has the given size.
func handle(size int) *ipc.Envelope {
	return &ipc.Envelope{Type: ipc.TypeHandle, Message: &ipc.Message{Topic: "t", Payload: ipc.PayloadText(strings.Repeat("A", size))}}
}

// stall fills a pipe that nobody reads, so that what follows stays queued; the request that does so counts as written.
func (c *conn) stall(ctx context.Context) *pending { return c.begin(ctx, handle(100<<10)) }

func requireError(t *testing.T, err error, code string, outcome ipc.Outcome) *ipc.Error {
	t.Helper()
	var e *ipc.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, e.Message)
	require.Equal(t, outcome, e.Outcome)
	return e
}
