package tests

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/supervisor"
)

// play is the life of this binary as a module; its result is the exit code.
func play(role string) int {
	role, detail, _ := strings.Cut(role, " ")
	switch role {
	case "polite": // does what is asked of it
		return serve(&polite{})
	case "serial": // one call at a time
		return serve(&polite{concurrency: 1})
	case "sick": // unhealthy from its first call on
		return serve(&polite{turns: "sick"})
	case "offline": // not ready from its first call on, ready again after its second
		return serve(&polite{turns: "offline"})
	case "slow": // stands in its Init at the gate that detail names
		return serve(&polite{entrance: detail})
	case "tidy": // stands at the gate that detail names between its last answer and its exit
		code := serve(&polite{})
		standAt(detail)
		return code
	case "farewell": // calls the topic that detail names in its Shutdown
		return serve(&polite{farewell: detail})
	case "refuse": // does not accept its configuration
		return serve(&refusing{})
	case "exit": // ends before it connects
		fmt.Fprintln(os.Stderr, detail)
		return 1
	case "leave": // ends before it connects, and thinks that was all right
		return 0
	case "mute": // never connects
		fmt.Fprintln(os.Stderr, "listening on port 80")
		select {}
	case "once": // each instance dies at its first start, runs at the second; detail begins the names of files that remember
		memory := detail + filepath.Base(os.Getenv(ipc.EnvModuleID))
		if _, err := os.Stat(memory); err != nil {
			_ = os.WriteFile(memory, nil, 0o600)
			fmt.Fprintln(os.Stderr, "first start")
			return 3
		}
		return serve(&polite{})
	case "stubborn": // ignores SIGTERM and the end of its connection
		signal.Ignore(syscall.SIGTERM)
		go serve(&polite{})
		select {}
	case "parent", "daemon": // leaves a child behind, in its process group or in a session of its own; detail is the gate where the child waits
		child := exec.Command(os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), roleVar+"=child "+detail)
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: role == "daemon"}
		if err := child.Start(); err != nil {
			return 4
		}
		return serve(&polite{})
	case "herald": // stands at the gate that detail names as long as it lives
		go standAt(detail)
		return serve(&polite{})
	case "supervisor": // no module at all: runs those below the directory that detail names
		s, err := supervisor.New(&supervisor.Options{Dirs: []string{detail}})
		if err == nil {
			err = s.Run(context.Background())
		}
		fmt.Fprintln(os.Stderr, err)
		return 1
	case "campaign": // a station of the campaign; detail is as enlist has it
		return enlist(detail)
	case "child":
		standAt(detail)
		return 0
	default:
		return raw(role, detail)
	}
}

func serve(m module.Module) int {
	if err := module.Run(context.Background(), m, nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// polite answers by the last segment of the topic, whatever its module is called.
type polite struct {
	module.Base
	concurrency int
	turns       string
	entrance    string // a gate
	farewell    string // a topic
	host        *module.Host
	calls       atomic.Int64
}

func (p *polite) Init(_ context.Context, in *module.Init) error {
	p.host = in.Host
	if p.concurrency > 0 {
		in.MaxConcurrency = p.concurrency
	}
	if p.entrance != "" && !standAt(p.entrance) {
		return module.Errorf("GATE_CLOSED", "not let in")
	}
	return nil
}

func (p *polite) Handle(ctx context.Context, m *module.Message) (*module.Response, error) {
	n := p.calls.Add(1)
	verb := m.Topic[strings.LastIndex(m.Topic, ".")+1:]
	switch verb {
	case "say":
		return module.Payload(m.Payload), nil
	case "pid":
		return module.Payload(fmt.Append(nil, os.Getpid())), nil
	case "count":
		return module.Payload(fmt.Append(nil, n)), nil
	case "attempt":
		return module.Payload(fmt.Append(nil, m.Context.Attempt)), nil
	case "fail":
		return nil, &module.Error{Code: "NO_PROVIDER", Message: "forged", Outcome: ipc.NotDelivered, Origin: "supervisor"}
	case "panic":
		panic("on request")
	case "gate": // stands at the gate that the payload names
		if !standAt(string(m.Payload)) {
			return nil, module.Errorf("GATE_CLOSED", "not let through")
		}
		return module.Payload([]byte("through")), nil
	case "patient": // says so at the gate when its ctx has ended
		conn, err := net.Dial("unix", string(m.Payload))
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		<-ctx.Done()
		_, _ = conn.Write([]byte{1})
		return nil, ctx.Err()
	case "forward": // "topic payload": calls on, and returns that answer
		return p.forward(ctx, string(m.Payload))
	case "meet": // "gate topic payload": the same, after standing at the gate
		gate, call, _ := strings.Cut(string(m.Payload), " ")
		standAt(gate)
		return p.forward(ctx, call)
	case "left": // the time that it has
		deadline, limited := ctx.Deadline()
		if !limited {
			return module.Payload([]byte("no limit")), nil
		}
		return module.Payload([]byte(time.Until(deadline).String())), nil
	case "crash":
		os.Exit(7)
	}
	return nil, module.Errorf(module.CodeUnknownTopic, "no %s here", verb)
}

func (p *polite) forward(ctx context.Context, call string) (*module.Response, error) {
	topic, payload, _ := strings.Cut(call, " ")
	return p.host.Call(ctx, topic, []byte(payload))
}

func (p *polite) Health(context.Context) module.Health {
	n := p.calls.Load()
	return module.Health{
		Healthy: p.turns != "sick" || n == 0,
		Ready:   p.turns != "offline" || n != 1,
		Reason:  p.turns,
	}
}

func (p *polite) Shutdown(ctx context.Context) error {
	if p.farewell == "" {
		return nil
	}
	_, err := p.host.Call(ctx, p.farewell, nil)
	return err
}

type refusing struct{ module.Base }

func (refusing) Init(context.Context, *module.Init) error {
	return module.Errorf(module.CodeConfigInvalid, "config.limit: 7 is too much; write at most 5")
}
