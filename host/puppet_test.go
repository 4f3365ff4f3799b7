package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// play is the life of this binary in a role; its result is the exit code.
func play(role string) int {
	role, detail, _ := strings.Cut(role, " ")
	switch role {
	case "puppet":
		return newPuppet().run()
	case "publisher": // publishes numbers on plc.n as fast as it can, and writes each that was acknowledged to the socket detail
		return newPuppet().flood(detail)
	case "keeper": // runs the command detail and kills it when standard input ends, which it does with whoever has the other end
		command := strings.Fields(detail)
		child := exec.Command(command[0], command[1:]...)
		child.Stderr = os.Stderr
		if child.Start() != nil {
			return 1
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = child.Process.Kill()
		_ = child.Wait()
		return 0
	case "witness":
		return newWitness(detail).run()
	case "single":
		return single(detail)
	case "node":
		return runNode(detail)
	case "supervisor": // no module: runs those of a directory over a state directory, with an engine
		dir, state, _ := strings.Cut(detail, " ")
		h, err := host.New(nil)
		if err == nil {
			var s *supervisor.Supervisor
			if s, err = supervisor.New(&supervisor.Options{Dirs: []string{dir}, StateDir: state, Engine: h}); err == nil {
				go func() {
					<-s.Up()
					fmt.Println("up")
				}()
				err = s.Run(context.Background())
			}
		}
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stderr, "no role", role)
	return 2
}

// puppet is a module on the bare wire that does what the test tells it by calls, and tells it what events came:
//
//	<name>.do    {"service","method","params"}: asks the host; the answer has its "data" or "error"
//	<name>.next  waits for an event
//	<name>.count how many came
//	<name>.reach waits for so many events, the first of their subscription
//	<name>.mode  how events are handled: "", "hold", "crash", or "fail <payload>"
type puppet struct {
	conn *ipc.Conn
	came chan event
	n    atomic.Int64
	init chan struct{} // closed when the host has asked for it
	over chan struct{} // closed when it wants an end: whatever is open is given up

	mu      sync.Mutex
	mode    string
	changed chan struct{}
}

// event is one as the test sees it.
type event struct {
	ipc.Delivery
	Topic   string `json:"topic"`
	Text    string `json:"text"`
	Context ipc.Context
}

type request struct {
	Service string          `json:"service"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	TraceID string          `json:"trace_id"`
	Times   int             `json:"times,omitempty"` // how often, one after the other; 0: once
}

type outcome struct {
	Data  json.RawMessage `json:"data,omitempty"`
	Error *ipc.Error      `json:"error,omitempty"`
}

func newPuppet() *puppet {
	return &puppet{came: make(chan event, 1<<16), init: make(chan struct{}), over: make(chan struct{}), changed: make(chan struct{})}
}

func (p *puppet) run() int {
	stream, err := net.Dial("unix", os.Getenv(ipc.EnvSocket))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	p.conn = ipc.NewConn(stream, &ipc.Options{Handler: p.serve})
	_ = p.conn.Run(context.Background())
	return 0
}

func (p *puppet) flood(socket string) int {
	go func() {
		out, err := net.Dial("unix", socket)
		if err != nil {
			return
		}
		<-p.init
		for n := 1; ; n++ {
			params, _ := json.Marshal(ipc.Publication{Topic: "plc.n", Payload: ipc.EncodePayload(fmt.Append(nil, n))})
			if _, err := p.conn.Service(context.Background(), ipc.ServiceRequest{Service: ipc.ServiceEvents, Method: ipc.MethodPublish, Params: ipc.ObjectData(params)}); err == nil {
				_, _ = fmt.Fprintln(out, n)
			}
		}
	}()
	return p.run()
}

func (p *puppet) serve(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
	switch req.Type {
	case ipc.TypeInit:
		close(p.init)
		return ipc.Pack(ipc.InitResult{Protocol: 1, Extensions: []string{ipc.ExtCancel}, MaxConcurrency: 64})
	case ipc.TypeHealthCheck:
		return ipc.Data{}, nil
	case ipc.TypeShutdown: // answered, and then the connection ends whatever is still open
		close(p.over)
		p.conn.Drain()
		return ipc.Data{}, nil
	case ipc.TypeEvent:
		return ipc.Data{}, p.event(ctx, req)
	case ipc.TypeHandle:
		payload, err := req.Message.Payload.Decode()
		if err != nil {
			return ipc.Data{}, err
		}
		return p.handle(ctx, req.Message.Topic, payload)
	}
	return ipc.Data{}, ipc.UnknownType(req)
}

func (p *puppet) handle(ctx context.Context, topic string, payload []byte) (ipc.Data, error) {
	switch topic[strings.LastIndex(topic, ".")+1:] {
	case "do":
		var r request
		if err := json.Unmarshal(payload, &r); err != nil {
			return ipc.Data{}, err
		}
		asked := ipc.ServiceRequest{Service: r.Service, Method: r.Method, Params: ipc.ObjectData(r.Params), TraceID: r.TraceID}
		data, err := p.conn.Service(ctx, asked)
		for n := 1; n < r.Times && err == nil; n++ {
			data, err = p.conn.Service(ctx, asked)
		}
		out := outcome{Data: data.JSON()}
		if err != nil {
			out.Error = ipc.AsError(err, ipc.CodeHandlerError)
		}
		return ipc.Pack(out)
	case "next":
		select {
		case e := <-p.came:
			return ipc.Pack(e)
		case <-ctx.Done():
			return ipc.Data{}, ctx.Err()
		case <-p.over:
			return ipc.Data{}, ipc.Errorf(ipc.CodeUnavailable, "the puppet ends")
		}
	case "count":
		return ipc.Pack(map[string]int64{"count": p.n.Load()})
	case "reach":
		many, _ := strconv.ParseUint(string(payload), 10, 64)
		for n := uint64(1); n <= many; n++ {
			select {
			case e := <-p.came:
				if e.Seq != n {
					return ipc.Data{}, ipc.Errorf("OUT_OF_ORDER", "event %d came where %d was due, %d lost", e.Seq, n, e.Lost)
				}
			case <-ctx.Done():
				return ipc.Data{}, ctx.Err()
			}
		}
	case "mode":
		p.mu.Lock()
		defer p.mu.Unlock()
		p.mode = string(payload)
		close(p.changed)
		p.changed = make(chan struct{})
	}
	return ipc.Data{}, nil
}

func (p *puppet) event(ctx context.Context, req *ipc.Envelope) error {
	text, err := req.Message.Payload.Decode()
	if err != nil {
		return err
	}
	p.n.Add(1)
	p.came <- event{Delivery: *req.Event, Topic: req.Message.Topic, Text: string(text), Context: *req.Context}
	for {
		p.mu.Lock()
		mode, changed := p.mode, p.changed
		p.mu.Unlock()
		switch {
		case mode == "hold":
			select {
			case <-changed:
				continue
			case <-p.over:
				os.Exit(0)
			case <-ctx.Done():
				return ctx.Err()
			}
		case mode == "crash":
			os.Exit(7)
		case mode == "fail "+string(text):
			return ipc.Errorf("SOUR", "it does not taste")
		}
		return nil
	}
}
