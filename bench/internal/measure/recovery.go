package measure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/bench/internal/peer"
	"github.com/ixtrun/ixt/bench/internal/report"
	"github.com/ixtrun/ixt/bench/internal/supervised"
	"github.com/ixtrun/ixt/ipc"
)

// detection is how much longer than a bare start it may take from a kill to the next answer.
const detection = 5 * time.Millisecond

// forgiving lets the module be killed again and again as if each time were the first.
const forgiving = `[restart]
forgive = "0s"
give_up = 1000000
`

// recovery asks how long callers go without an answer when an instance is killed.
func recovery() Measure {
	const name = "kill -9 until the next answer"
	return Measure{name, func(ctx context.Context, s *Settings) (out report.Measure, err error) {
		out.Name = name
		dir, err := os.MkdirTemp(s.Dir, "")
		if err != nil {
			return out, err
		}
		f, err := supervised.Start(dir, supervised.Echo(s.Programs.Echo).With(forgiving))
		if err != nil {
			return out, err
		}
		defer func() { err = errors.Join(err, f.Stop()) }()
		took, err := inTurn(4*s.Rounds,
			func() (time.Duration, error) { return killAndCall(ctx, f) },
			func() (time.Duration, error) { return startBare(ctx, s.Programs.Echo, filepath.Join(dir, "s")) },
		)
		if err != nil {
			return out, err
		}
		ours, bare := timeRow("ixt call", took[0]...), timeRow("bare start, until init is answered", took[1]...)
		ours.Target = atMost((load.MedianOf(took[1]) + detection).Seconds() * 1e3)(*ours.Value)
		out.Rows = []report.Row{ours, bare}
		return out, nil
	}}
}

// killAndCall kills the echo and calls until it is answered.
func killAndCall(ctx context.Context, f *supervised.Fleet) (time.Duration, error) {
	payload := []byte("payload!")
	if _, err := f.Say(ctx, payload); err != nil {
		return 0, err
	}
	m, err := f.Module("echo")
	if err != nil {
		return 0, err
	}
	if err := syscall.Kill(m.Instances[0].PID, syscall.SIGKILL); err != nil {
		return 0, fmt.Errorf("killing the echo: %w", err)
	}
	killed := time.Now()
	for {
		_, err := f.Say(ctx, payload)
		switch {
		case err == nil:
			return time.Since(killed), nil
		case ipc.OutcomeOf(err) != ipc.Unknown: // it was in flight when the echo died; nothing else is expected
			return 0, err
		}
	}
}

// startBare starts the echo without a supervisor and returns how long it took until it could be called.
func startBare(ctx context.Context, program, socket string) (took time.Duration, err error) {
	began := time.Now()
	l, err := net.Listen("unix", socket)
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })() // then nobody connects any more
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), ipc.EnvSocket+"="+socket, ipc.EnvModuleID+"=echo:1.0.0/instance-001")
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	stream, err := l.Accept()
	if err != nil {
		return 0, err
	}
	host, err := peer.Greet(ctx, stream)
	if err != nil {
		return 0, err
	}
	took = time.Since(began)
	host.Close() // the module ends with its connection
	return took, cmd.Wait()
}
