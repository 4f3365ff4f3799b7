package tests

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

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
	case "once": // dies at its first start, runs at the second; detail names the file that remembers
		if _, err := os.Stat(detail); err != nil {
			_ = os.WriteFile(detail, nil, 0o600)
			fmt.Fprintln(os.Stderr, "first start")
			return 3
		}
		return serve(&polite{})
	case "stubborn": // ignores SIGTERM and the end of its connection
		signal.Ignore(syscall.SIGTERM)
		go serve(&polite{})
		select {}
	case "parent": // leaves a child behind in its process group; detail is the gate where the child waits
		child := exec.Command(os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), roleVar+"=child "+detail)
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
	case "child":
		standAt(detail)
		return 0
	default:
		return raw(role)
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
	host        *module.Host
	calls       atomic.Int64
}

func (p *polite) Init(_ context.Context, in *module.Init) error {
	p.host = in.Host
	if p.concurrency > 0 {
		in.MaxConcurrency = p.concurrency
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
		topic, payload, _ := strings.Cut(string(m.Payload), " ")
		return p.host.Call(ctx, topic, []byte(payload))
	case "crash":
		os.Exit(7)
	}
	return nil, module.Errorf(module.CodeUnknownTopic, "no %s here", verb)
}

func (p *polite) Health(context.Context) module.Health {
	n := p.calls.Load()
	return module.Health{
		Healthy: p.turns != "sick" || n == 0,
		Ready:   p.turns != "offline" || n != 1,
		Reason:  p.turns,
	}
}

type refusing struct{ module.Base }

func (refusing) Init(context.Context, *module.Init) error {
	return module.Errorf(module.CodeConfigInvalid, "config.limit: 7 is too much; write at most 5")
}

// raw speaks the wire by hand, to break it in the way the role says.
func raw(role string) int {
	conn, err := net.Dial("unix", os.Getenv(ipc.EnvSocket))
	if err != nil {
		return 5
	}
	switch role {
	case "garbage": // answers init, and the first call with something else
		readFrame(conn)
		writeFrame(conn, `{"type":"response","id":1,"status":"success","data":{}}`)
		readFrame(conn)
		writeFrame(conn, `this is not JSON`)
	case "partial": // dies in the middle of an answer
		readFrame(conn)
		writeFrame(conn, `{"type":"response","id":1,"status":"success","data":{}}`)
		readFrame(conn)
		_, _ = conn.Write([]byte{200, 0, 0, 0, '{', '"'})
		return 6
	case "deaf": // answers init and reads nothing any more
		readFrame(conn)
		writeFrame(conn, `{"type":"response","id":1,"status":"success","data":{"max_concurrency":1000}}`)
	case "hang": // takes the first frame and does not answer
		readFrame(conn)
	case "bare": // the simplest module: no SDK, serial
		for {
			head := readFrame(conn)
			var id int
			if _, err := fmt.Sscanf(head, `{"id":%d,`, &id); err != nil {
				return 0
			}
			writeFrame(conn, fmt.Sprintf(`{"type":"response","id":%d,"status":"success","data":{"payload":"YmFyZQ=="}}`, id))
			if strings.Contains(head, `"type":"shutdown"`) {
				return 0
			}
		}
	case "flood": // asks the host for more than it may, and reads none of the answers
		readFrame(conn)
		writeFrame(conn, `{"type":"response","id":1,"status":"success","data":{}}`)
		for id := 1; ; id++ {
			frame := fmt.Sprintf(`{"type":"service_request","id":%d,"service":"message_bus","method":"call","params":{"topic":"nobody.there"}}`, id)
			if writeFrame(conn, frame) != nil {
				break
			}
		}
	default:
		fmt.Fprintln(os.Stderr, "no such role:", role)
		return 9
	}
	select {}
}

func readFrame(conn net.Conn) string {
	var header [4]byte
	if _, err := readFull(conn, header[:]); err != nil {
		return ""
	}
	body := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	_, _ = readFull(conn, body)
	return string(body)
}

func readFull(conn net.Conn, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = conn.Read(b[n:])
		n += k
	}
	return n, err
}

func writeFrame(conn net.Conn, body string) error {
	frame := append([]byte{byte(len(body)), byte(len(body) >> 8), 0, 0}, body...)
	_, err := conn.Write(frame)
	return err
}
