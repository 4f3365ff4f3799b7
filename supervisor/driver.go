package supervisor

import (
	"context"
	"encoding/json"
	"net"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// driver speaks with processes in one protocol; a manifest names it with artifacts.process.protocol. A driver never
// spawns, kills or restarts anything.
type driver interface {
	// Open prepares a conversation with one process that does not run yet. socket is a path the conversation may listen
	// on; accept decides whether a connection comes from that process.
	Open(id ipc.ModuleID, socket string, accept func(*net.UnixConn) error) (conversation, error)
}

// conversation is what a driver has with one process. Connect and Init are called once and in this order; the other
// methods are safe for concurrent use after that, and those that ipc.Conn has too mean the same.
type conversation interface {
	// Environ returns the variables by which the process finds its way here.
	Environ() []string
	// Connect waits until the process is there to be talked to.
	Connect(ctx context.Context) error
	// Init hands over the configuration. An *ipc.Error is the module's refusal.
	Init(ctx context.Context, config json.RawMessage, maxFrame int) (*ipc.InitResult, error)
	// Handle sends a message and returns the answer's data.
	Handle(ctx context.Context, m *ipc.Message, mc *ipc.Context, watch ipc.Watch) (ipc.Data, error)
	// HandleLater is Handle for who does not wait for the answer.
	HandleLater(p *ipc.Pending, m *ipc.Message, mc *ipc.Context, limit time.Time, to ipc.Receiver, batch *ipc.Batch) error
	// Watching returns the watch of a message that is not answered.
	Watching(id int64) ipc.Watch
	// Event delivers an event.
	Event(ctx context.Context, e ipc.Event) error
	// Health asks the process how it is.
	Health(ctx context.Context) (*ipc.Health, error)
	// Shutdown tells the process to finish within grace and returns when it says it has.
	Shutdown(ctx context.Context, grace time.Duration) error
	// Done is closed when the conversation has ended, for the reason Err tells; Err may be asked at any time.
	Done() <-chan struct{}
	Err() error
	// Stats tells how it goes.
	Stats() ipc.Stats
	// Close ends the conversation. The error says what does not end with it.
	Close() error
}

// driver returns what speaks the protocol of a process's module; nil if nothing does.
func (s *Supervisor) driver(in *instance, p *incarnation) driver {
	switch in.module.Process.Protocol {
	case "ixt":
		return ixtDriver{
			memory: s.memory,
			serve:  func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) { return s.serve(ctx, in, p, req) },
			relay:  func(req *ipc.Request, batch *ipc.Batch) bool { return s.relay(in, p, req, batch) },
		}
	case "none":
		return noneDriver{}
	default:
		return nil
	}
}
