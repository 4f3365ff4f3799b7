// Package supervised runs modules under a supervisor of this process.
package supervised

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/supervisor"
)

// Fleet is some modules and the supervisor that runs them.
type Fleet struct {
	*supervisor.Supervisor
	cancel context.CancelFunc
	ran    chan error
}

// Start writes the modules into dir and begins to run them; calls wait until they are ready.
func Start(dir string, modules ...Module) (*Fleet, error) {
	for _, m := range modules {
		if err := m.write(dir); err != nil {
			return nil, err
		}
	}
	sup, err := supervisor.New(&supervisor.Options{Dirs: []string{dir}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &Fleet{Supervisor: sup, cancel: cancel, ran: make(chan error, 1)}
	go func() { f.ran <- sup.Run(ctx) }()
	return f, nil
}

// Stop stops everything in order and waits for it.
func (f *Fleet) Stop() error {
	f.cancel()
	return <-f.ran
}

// AwaitReady waits until n instances have become ready, or one has failed for good.
func (f *Fleet) AwaitReady(ctx context.Context, n int) error {
	for e := range f.Journal().Follow(ctx, 0) {
		switch e.State {
		case supervisor.Ready:
			n--
		case supervisor.Backoff, supervisor.Failed:
			return fmt.Errorf("an instance did not start: %s", e)
		}
		if n == 0 {
			return nil
		}
	}
	return fmt.Errorf("%d instances did not become ready: %w", n, context.Cause(ctx))
}

// Say calls the echo.
func (f *Fleet) Say(ctx context.Context, payload []byte) ([]byte, error) {
	return f.SayTo(ctx, "", payload)
}

// SayTo calls one instance of the echo, "echo:1.0.0/instance-002" say; "" is any.
func (f *Fleet) SayTo(ctx context.Context, target string, payload []byte) ([]byte, error) {
	answer, err := f.Call(ctx, supervisor.Message{Topic: "echo.say", Target: target, Payload: payload})
	if err != nil {
		return nil, err
	}
	got, _ := answer.Payload() // what is no payload is not equal to it either
	return got, nil
}

// Drive lets the module drive put the load on the echo.
func (f *Fleet) Drive(ctx context.Context, spec load.Spec) (out load.Result, err error) {
	ask, err := json.Marshal(spec)
	if err != nil {
		return out, err
	}
	answer, err := f.Call(ctx, supervisor.Message{Topic: "drive.load", Payload: ask})
	if err != nil {
		return out, err
	}
	return out, answer.Unpack(&out)
}
