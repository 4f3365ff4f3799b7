package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// witness is a module on the bare wire that tells what it sees of a call:
//
//	<name>.do    answers what it got; "hold" waits until it is cancelled, "hold once" on the first attempt, "fail" is an error
//	<name>.mode  answers its payload
//	<name>.count answers how many calls were cancelled, and how many ever held
type witness struct {
	node      string
	held      atomic.Int64
	cancelled atomic.Int64
	conn      *ipc.Conn
	over      chan struct{} // closed by shutdown
	stubborn  bool          // it ends only by being killed
}

// testimony is what it saw.
type testimony struct {
	Node     string       `json:"node"`
	Text     string       `json:"text"`
	Priority ipc.Priority `json:"priority"`
	TTLMS    int64        `json:"ttl_ms"`
	Context  ipc.Context  `json:"context"`
}

func newWitness(node string) *witness { return &witness{node: node, over: make(chan struct{})} }

func (w *witness) run() int {
	stream, err := net.Dial("unix", os.Getenv(ipc.EnvSocket))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	w.conn = ipc.NewConn(stream, &ipc.Options{Handler: w.serve})
	_ = w.conn.Run(context.Background())
	return 0
}

func (w *witness) serve(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
	switch req.Type {
	case ipc.TypeInit:
		return ipc.Pack(ipc.InitResult{Protocol: 1, Extensions: []string{ipc.ExtCancel}, MaxConcurrency: 64})
	case ipc.TypeShutdown:
		if w.stubborn {
			select {}
		}
		close(w.over)
		w.conn.Drain()
		return ipc.Data{}, nil
	case ipc.TypeHealthCheck:
		return ipc.Data{}, nil
	}
	payload, err := req.Message.Payload.Decode()
	if err != nil {
		return ipc.Data{}, err
	}
	text := string(payload)
	switch req.Message.Topic[strings.LastIndex(req.Message.Topic, ".")+1:] {
	case "mode":
		return ipc.PayloadData(payload), nil
	case "count":
		return ipc.Pack(map[string]int64{"count": w.cancelled.Load(), "held": w.held.Load()})
	}
	switch {
	case text == "fail":
		return ipc.Data{}, &ipc.Error{Code: "SOUR", Message: "it does\nnot taste", Details: json.RawMessage(`{"ph":3}`), RetryAfter: 1500e6}
	case text == "big":
		return ipc.PayloadData(make([]byte, 2<<20)), nil
	case text == "hold", text == "hold once" && req.Context.Attempt == 1:
		w.held.Add(1)
		select {
		case <-ctx.Done():
			w.cancelled.Add(1)
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				<-w.over // it must not answer before its host knows that the time is over
			}
			return ipc.Data{}, ctx.Err()
		case <-w.over:
			return ipc.Data{}, ipc.Errorf(ipc.CodeHandlerError, "held until the end")
		}
	}
	return ipc.Pack(testimony{w.node, text, req.Message.Priority, req.Message.TTLMS, *req.Context})
}

// single is a module of which there must not be two: it holds a lock on a file while it lives, and writes into it who it is. A
// second one finds the lock taken, and says so there.
func single(detail string) int {
	file, node, _ := strings.Cut(detail, " ")
	node, stubborn := strings.CutSuffix(node, " stubborn")
	if stubborn {
		signal.Ignore(syscall.SIGTERM)
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 1
	}
	if errors.Is(syscall.Flock(int(out.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK) {
		_, _ = fmt.Fprintln(out, "TWICE", node)
		return 1
	}
	_, _ = fmt.Fprintln(out, node)
	w := newWitness(node)
	w.stubborn = stubborn
	return w.run()
}

// runNode is a supervisor of a cluster in a process of its own: "directory state URL node". It says what its journal says.
func runNode(detail string) int {
	var dir, state, url, node string
	if n, _ := fmt.Sscan(detail, &dir, &state, &url, &node); n != 4 {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h, err := host.New(&host.Options{URL: url, Node: node})
	if err == nil {
		var s *supervisor.Supervisor
		if s, err = supervisor.New(&supervisor.Options{Dirs: []string{dir}, StateDir: state, Engine: h}); err == nil {
			said := make(chan struct{})
			go func() {
				defer close(said)
				for e := range s.Journal().Follow(context.Background(), 0) {
					fmt.Println(e.Time.Format("05.000"), e)
				}
			}()
			err = s.Run(ctx)
			<-said
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
