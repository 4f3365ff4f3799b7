package host_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// natsServer is the program of a NATS server of the user's, built once.
var natsServer struct {
	once sync.Once
	dir  string
	err  error
}

// server is a NATS server in a process of its own.
type server struct {
	t     *testing.T
	store string
	more  []string // arguments
	addr  string   // host:port, the same after a restart
	cmd   *exec.Cmd
	life  io.Closer     // the server ends with it, and with this process
	quiet chan struct{} // closed when it says nothing more
}

func newServer(t *testing.T, more ...string) *server {
	natsServer.once.Do(func() {
		if natsServer.dir, natsServer.err = os.MkdirTemp("", "ixt"); natsServer.err == nil {
			build := exec.Command("go", "build", "-o", filepath.Join(natsServer.dir, "nats-server"), "github.com/nats-io/nats-server/v2")
			build.Stderr = os.Stderr
			natsServer.err = build.Run()
		}
	})
	require.NoError(t, natsServer.err)
	s := &server{t: t, store: t.TempDir(), more: more, addr: "127.0.0.1:-1"}
	s.start()
	t.Cleanup(s.stop)
	return s
}

// start returns when clients can connect.
func (s *server) start() {
	host, port, _ := strings.Cut(s.addr, ":")
	exe, err := os.Executable()
	require.NoError(s.t, err)
	s.cmd = exec.Command(exe)
	s.cmd.Env = append(os.Environ(), roleVar+"=keeper "+strings.Join(append([]string{filepath.Join(natsServer.dir, "nats-server"), "-js", "-sd", s.store, "-a", host, "-p", port}, s.more...), " "))
	s.life, err = s.cmd.StdinPipe()
	require.NoError(s.t, err)
	log, err := s.cmd.StderrPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, s.cmd.Start())
	listening := make(chan string, 1)
	s.quiet = make(chan struct{})
	go func() {
		defer close(s.quiet)
		const before = "Listening for client connections on "
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if _, addr, ok := strings.Cut(lines.Text(), before); ok {
				listening <- addr
			}
		}
	}()
	select {
	case s.addr = <-listening:
	case <-s.quiet:
		s.t.Fatal("the NATS server ended")
	case <-time.After(patience):
		s.t.Fatal("the NATS server does not listen")
	}
}

func (s *server) stop() {
	_ = s.life.Close()
	<-s.quiet
	_ = s.cmd.Wait()
}

func (s *server) url() string { return "nats://" + s.addr }

// withEngines runs a test with the engine in the supervisor's process, and with one in a process of its own.
func withEngines(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, newRig(t))
	})
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		r := newRig(t)
		r.options.URL = s.url()
		test(t, r)
	})
}
