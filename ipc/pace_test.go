package ipc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// socketVar names the socket of a test that runs this binary a second time.
const socketVar = "IXT_TEST_SOCKET"

// compute is a module's process until its host hangs up. One of its handlers computes without a system call until another one has run.
func compute(socket string) error {
	stream, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	var relieved atomic.Bool
	err = ipc.NewConn(stream, &ipc.Options{Direct: true, Handler: func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
		switch req.Message.Topic {
		case "compute":
			for !relieved.Load() && ctx.Err() == nil {
			}
			return ipc.Data{}, ctx.Err()
		case "relieve":
			relieved.Store(true)
		}
		return ipc.Data{}, nil
	}}).Run(context.Background())
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// A handler that takes the only processor for itself keeps nobody for longer than it takes to interrupt it.
func TestOneWhoComputesKeepsNobody(t *testing.T) {
	for _, tt := range []struct {
		name  string
		calls int           // before
		quiet time.Duration // after them; in the end nothing in the module has a timer
	}{
		{"at first", 0, 0},
		{"in the middle of many calls", 1000, 0},
		{"after many calls", 1000, 50 * time.Millisecond},
		{"long after many calls", 1000, 1500 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			socket := socketPath(t)
			l, err := net.Listen("unix", socket)
			require.NoError(t, err)
			defer l.Close()
			module := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
			module.Env = append(os.Environ(), socketVar+"="+socket, "GOMAXPROCS=1", "GORACE=atexit_sleep_ms=0")
			module.Stderr = os.Stderr
			require.NoError(t, module.Start())
			stream, err := l.Accept()
			require.NoError(t, err)
			host := start(t, stream, nil)
			for range tt.calls {
				_, err := host.Call(ctx, topic("quick"), nil)
				require.NoError(t, err)
			}
			wait(ctx, tt.quiet)
			computes := host.begin(ctx, topic("compute"))
			wait(ctx, 50*time.Millisecond) // if the module has read it by then, it does not read both at once
			_, err = host.Call(ctx, topic("relieve"), nil)
			require.NoError(t, err)
			_, err = computes.wait()
			require.NoError(t, err)
			host.Close()
			require.NoError(t, module.Wait())
		})
	}
}

// System calls are brief as long as there are many of them.
func TestABusyConnectionBecomesQuiet(t *testing.T) {
	if !ipc.CanBeBrief {
		t.Skip("here no system call is brief")
	}
	host, module := directly(t, func(context.Context, *ipc.Envelope) (ipc.Data, error) { return ipc.Data{}, nil })
	for range 2 {
		for !host.Busy() || !module.Busy() {
			_, err := host.Call(t.Context(), topic("quick"), nil)
			require.NoError(t, err)
		}
		for host.Busy() || module.Busy() {
			wait(t.Context(), time.Millisecond)
		}
	}
}
