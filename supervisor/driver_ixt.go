package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// ixtDriver speaks the wire of docs/protocol.md over one private Unix socket per process.
type ixtDriver struct {
	memory *ipc.Memory
	serve  ipc.Handler
	relay  func(*ipc.Request, *ipc.Batch) bool
}

func (d ixtDriver) Open(id ipc.ModuleID, socket string, accept func(*net.UnixConn) error) (conversation, error) {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", id, err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("listening for %s: %w", id, err)
	}
	return &ixtConversation{id: id, socket: socket, listener: listener, accept: accept, ixtDriver: d}, nil
}

type ixtConversation struct {
	id       ipc.ModuleID
	socket   string
	listener *net.UnixListener
	accept   func(*net.UnixConn) error
	ixtDriver
	*ipc.Conn               // set by Connect
	ran       chan struct{} // closed when Run has returned
	once      sync.Once     // guards the listener's end
}

func (c *ixtConversation) Environ() []string {
	return []string{ipc.EnvSocket + "=" + c.socket, ipc.EnvModuleID + "=" + c.id.String()}
}

// Connect takes the first acceptable connection and then stops listening: "a second connection is refused".
func (c *ixtConversation) Connect(ctx context.Context) error {
	defer c.stopListening()
	stop := context.AfterFunc(ctx, c.stopListening)
	defer stop()
	for {
		stream, err := c.listener.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("accepting the connection of %s: %w", c.id, err)
		}
		if c.accept(stream) != nil {
			_ = stream.Close() // the one who refused has said why
			continue
		}
		c.Conn = ipc.NewConn(stream, &ipc.Options{Memory: c.memory, Handler: c.serve, Relay: c.relay})
		c.ran = make(chan struct{})
		go func() {
			defer close(c.ran)
			_ = c.Run(context.Background()) // ends with Close or with the peer; Err keeps the reason
		}()
		return nil
	}
}

func (c *ixtConversation) stopListening() { c.once.Do(func() { _ = c.listener.Close() }) }

func (c *ixtConversation) Init(ctx context.Context, config json.RawMessage, maxFrame int) (*ipc.InitResult, error) {
	return c.Conn.Init(ctx, ipc.InitParams{
		Protocol: ipc.Version, ModuleID: c.id.String(), Config: config, Extensions: []string{ipc.ExtCancel, ipc.ExtRaw}, MaxFrame: maxFrame,
	})
}

func (c *ixtConversation) Err() error {
	if c.Conn == nil {
		return nil // nobody has connected
	}
	return c.Conn.Err()
}

// Close does not wait longer than lingering for services that ignore the end of their ctx.
func (c *ixtConversation) Close() error {
	c.stopListening()
	if c.Conn == nil {
		return nil
	}
	c.Conn.Close()
	timer := time.NewTimer(lingering)
	defer timer.Stop()
	select {
	case <-c.ran:
		return nil
	case <-timer.C:
		return fmt.Errorf("%d service requests of %s ignore the end of their connection; they are left behind", c.Stats().Open, c.id)
	}
}

// noneDriver runs any program that speaks nothing: it is ready when it runs, and a signal is all it understands.
type noneDriver struct{}

func (noneDriver) Open(ipc.ModuleID, string, func(*net.UnixConn) error) (conversation, error) {
	return &silence{done: make(chan struct{})}, nil
}

type silence struct {
	done chan struct{}
	once sync.Once
}

func (s *silence) Environ() []string             { return nil }
func (s *silence) Connect(context.Context) error { return nil }

func (s *silence) Init(context.Context, json.RawMessage, int) (*ipc.InitResult, error) {
	return &ipc.InitResult{}, nil
}

func (s *silence) Handle(_ context.Context, m *ipc.Message, _ *ipc.Context, watch ipc.Watch) (ipc.Data, error) {
	watch.Settled(ipc.Settlement{Answered: time.Now()})
	return ipc.Data{}, ipc.Errorf(ipc.CodeNoProvider, "%s is provided by a program that speaks no protocol", m.Topic)
}

func (s *silence) HandleLater(*ipc.Pending, *ipc.Message, *ipc.Context, time.Time, ipc.Receiver, *ipc.Batch) error {
	return errNoConversation
}

func (s *silence) Watching(int64) ipc.Watch { return nil }

func (s *silence) Event(context.Context, ipc.Event) error { return errNoConversation }

func (s *silence) Health(context.Context) (*ipc.Health, error) {
	return &ipc.Health{Healthy: true, Ready: true}, nil
}

func (s *silence) Shutdown(context.Context, time.Duration) error { return errNoConversation }
func (s *silence) Done() <-chan struct{}                         { return s.done }
func (s *silence) Err() error                                    { return nil }
func (s *silence) Stats() ipc.Stats                              { return ipc.Stats{} }
func (s *silence) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// errNoConversation says that the process cannot be asked to shut down; a signal must do.
var errNoConversation = errors.New("the process speaks no protocol")
