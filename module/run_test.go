package module_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
)

// listen opens a supervisor's socket and returns its path.
func listen(t *testing.T) (*net.UnixListener, string) {
	dir, err := os.MkdirTemp("", "ixt") // t.TempDir may be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	require.NoError(t, l.SetDeadline(time.Now().Add(time.Minute)))
	return l, path
}

// accept waits for the module and opens the conversation.
func accept(t *testing.T, l *net.UnixListener) (*ipc.Conn, error) {
	rw, err := l.AcceptUnix()
	require.NoError(t, err)
	conn := ipc.NewConn(rw, nil)
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		_ = conn.Run(context.Background())
	}()
	t.Cleanup(func() { conn.Close(); <-ran })
	_, err = conn.Init(t.Context(), ipc.InitParams{Protocol: 1, ModuleID: "a:1/instance-001"})
	return conn, err
}

func TestRunOverASocket(t *testing.T) {
	for _, how := range []string{"shutdown", "EOF", "ctx"} {
		t.Run(how, func(t *testing.T) {
			l, path := listen(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			m := &fake{handle: func(_ context.Context, msg *module.Message) (*module.Response, error) {
				return module.Payload(msg.Payload), nil
			}}
			go func() { ended <- module.Run(ctx, m, &module.Options{Socket: path}) }()
			conn, err := accept(t, l)
			require.NoError(t, err)
			data, err := conn.Handle(t.Context(), &ipc.Message{Topic: "t", Payload: ipc.EncodePayload([]byte("hi"))}, nil, nil)
			require.NoError(t, err)
			require.JSONEq(t, `{"payload":"aGk="}`, string(data.JSON()))
			switch how {
			case "shutdown":
				require.NoError(t, conn.Shutdown(t.Context(), time.Minute))
			case "EOF":
				conn.Close()
			case "ctx":
				cancel()
			}
			require.NoError(t, <-ended)
			<-conn.Done()
		})
	}
}

func TestTheHostBreaksTheProtocol(t *testing.T) {
	w := serve(t, &fake{}, nil)
	w.init()
	w.send(`hello`)
	require.ErrorContains(t, <-w.served, "the host broke the protocol: a frame is not a JSON object")
}

func TestRunWithoutASupervisor(t *testing.T) {
	t.Setenv(ipc.EnvSocket, "")
	err := module.Run(t.Context(), &fake{}, nil)
	require.ErrorIs(t, err, module.ErrNotSupervised)
	require.ErrorContains(t, err, "ixt dev manifest.toml")
	require.ErrorContains(t, err, "ixt run DIR")

	err = module.Run(t.Context(), &fake{}, &module.Options{Socket: "/nonexistent/s"})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "/nonexistent/s")
}

// program is the test binary as a module.
func program(t *testing.T, mode, socket string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), asModule+"="+mode, ipc.EnvSocket+"="+socket, ipc.EnvModuleID+"=a:1/instance-001",
		"GORACE=atexit_sleep_ms=0") // a program with the race detector takes a second to exit otherwise
	return cmd
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

func TestMainTellsWhatWentWrongInOneLine(t *testing.T) {
	l, path := listen(t)
	for _, tt := range []struct {
		mode, socket string
		code         int
		text         string
	}{
		{"works", "", 2, "IXT_IPC_SOCKET is not set: a module is started by its supervisor"},
		{"works", "/nonexistent/s", 1, "cannot connect to the supervisor"},
		{"refuses", path, 1, "CONFIG_INVALID: config.port: is missing"},
	} {
		var stderr bytes.Buffer
		cmd := program(t, tt.mode, tt.socket)
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		if tt.socket == path {
			_, err := accept(t, l)
			require.ErrorIs(t, err, &module.Error{Code: module.CodeConfigInvalid})
		}
		require.Equal(t, tt.code, exitCode(cmd.Wait()), stderr.String())
		require.Contains(t, stderr.String(), tt.text)
		require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
	}
}

func TestMainAndSignals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before []os.Signal // survived
		last   os.Signal
	}{
		{"SIGTERM ends it", nil, syscall.SIGTERM},
		{"the second Ctrl-C does", []os.Signal{os.Interrupt}, os.Interrupt},
		{"SIGTERM after Ctrl-C does", []os.Signal{os.Interrupt}, syscall.SIGTERM},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, path := listen(t)
			cmd := program(t, "works", path)
			pipe, err := cmd.StderrPipe()
			require.NoError(t, err)
			stderr := bufio.NewReader(pipe)
			require.NoError(t, cmd.Start())
			conn, err := accept(t, l)
			require.NoError(t, err)
			for _, s := range tt.before {
				require.NoError(t, cmd.Process.Signal(s))
				line, err := stderr.ReadString('\n')
				require.NoError(t, err)
				require.Contains(t, line, "left to the supervisor")
				_, err = conn.Health(t.Context())
				require.NoError(t, err)
			}
			require.NoError(t, cmd.Process.Signal(tt.last))
			rest, err := io.ReadAll(stderr)
			require.NoError(t, err)
			require.Empty(t, string(rest))
			require.NoError(t, cmd.Wait())
			<-conn.Done()
		})
	}
}
