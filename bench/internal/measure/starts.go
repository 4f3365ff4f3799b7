package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/ixtrun/ixt/bench/internal/goplugin"
	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/bench/internal/report"
	"github.com/ixtrun/ixt/bench/internal/role"
	"github.com/ixtrun/ixt/bench/internal/supervised"
)

// starts asks how long it takes until many instances can be called.
func starts() Measure {
	const name = "start, until all are ready"
	return Measure{name, func(ctx context.Context, s *Settings) (report.Measure, error) {
		out := report.Measure{Name: name}
		took, err := inTurn(2*s.Rounds,
			func() (time.Duration, error) { return startInstances(ctx, s) },
			func() (time.Duration, error) { return startProcesses(ctx, s) },
			func() (time.Duration, error) { return startPlugins(ctx, s) },
		)
		if err != nil {
			return out, err
		}
		ours, bare, plugins := took[0], took[1], took[2]
		number := func(what string) string { return fmt.Sprintf("%d %s", s.Starts, what) }
		out.Rows = []report.Row{
			timeRow(number("ixt instances"), ours...),
			compared(timeRow(number("bare processes, first byte"), bare...), ours, bare, atMost(1.5)),
			compared(timeRow(number("go-plugin plugins"), plugins...), ours, plugins, nil),
		}
		return out, nil
	}}
}

// inTurn measures several ways in turn, round after round, and returns what each took in each.
func inTurn(rounds int, ways ...func() (time.Duration, error)) ([][]time.Duration, error) {
	took := make([][]time.Duration, len(ways))
	for round := range rounds {
		for _, i := range order(round, len(ways)) {
			d, err := ways[i]()
			if err != nil {
				return nil, err
			}
			took[i] = append(took[i], d)
		}
	}
	return took, nil
}

// timeRow is the median of what something took.
func timeRow(name string, took ...time.Duration) report.Row {
	return report.Row{Name: name, Value: &report.Quantity{Value: load.MedianOf(took).Seconds() * 1e3, Unit: "ms"}}
}

func startInstances(ctx context.Context, s *Settings) (time.Duration, error) {
	began := time.Now()
	f, err := startFleet(ctx, s, s.Starts)
	if err != nil {
		return 0, err
	}
	return time.Since(began), f.Stop()
}

// startFleet starts n instances and waits until all are ready.
func startFleet(ctx context.Context, s *Settings, n int) (*supervised.Fleet, error) {
	dir, err := os.MkdirTemp(s.Dir, "")
	if err != nil {
		return nil, err
	}
	f, err := supervised.Start(dir, supervised.Echoes(s.Programs.Echo, n)...)
	if err != nil {
		return nil, err
	}
	if err := f.AwaitReady(ctx, n); err != nil {
		return nil, errors.Join(err, f.Stop())
	}
	return f, nil
}

// startProcesses starts the same program as often, and waits for no more than a byte of each.
func startProcesses(ctx context.Context, s *Settings) (time.Duration, error) {
	return together(s.Starts, func() (func() error, error) {
		p, err := role.StartCommand(exec.CommandContext(ctx, s.Programs.Echo, "byte"))
		if err != nil {
			return nil, err
		}
		return p.Stop, nil
	})
}

// startPlugins does the same with hashicorp/go-plugin, until each plugin has answered a ping.
func startPlugins(ctx context.Context, s *Settings) (_ time.Duration, err error) {
	life, end, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, life.Close(), end.Close()) }()
	return together(s.Starts, func() (func() error, error) {
		cmd := exec.CommandContext(ctx, s.Programs.Plugin)
		cmd.ExtraFiles = []*os.File{life}
		client := plugin.NewClient(&plugin.ClientConfig{
			HandshakeConfig:  goplugin.Handshake(),
			Plugins:          goplugin.Set(),
			Cmd:              cmd,
			AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
			UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: os.Getenv("XDG_RUNTIME_DIR")}, // "" is its own default
			Logger:           hclog.NewNullLogger(),
		})
		stop := func() error { client.Kill(); return nil }
		protocol, err := client.Client()
		if err == nil {
			err = protocol.Ping()
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("starting a plugin: %w", err), stop())
		}
		return stop, nil
	})
}

// together starts n things at once, returns how long it took until the last had started, and stops them.
func together(n int, start func() (stop func() error, err error)) (time.Duration, error) {
	errs, stops := make([]error, n), make([]func() error, n)
	began := time.Now()
	each(n, func(i int) { stops[i], errs[i] = start() })
	took := time.Since(began)
	each(n, func(i int) {
		if stops[i] != nil {
			errs[i] = errors.Join(errs[i], stops[i]())
		}
	})
	return took, errors.Join(errs...)
}

func each(n int, do func(i int)) {
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { do(i) })
	}
	running.Wait()
}
