package peer

import (
	"context"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/bench/internal/profile"
	"github.com/ixtrun/ixt/bench/internal/supervised"
)

// Call is the whole way of a call: Supervisor.Call, queue, deadline, slot, wire, SDK, handler and back. program is the echo's,
// wanted is what the echo writes of itself.
func Call(program string, wanted profile.Wanted) Peer {
	return supervise("ixt call", fromHere, supervised.Echo(program).Profiled(wanted))
}

// Python is the same to a module in Python.
func Python() Peer { return supervise("ixt call, Python", fromHere, supervised.PythonEcho()) }

// Routed is a call of one module to another, through the supervisor. The callers are in the first module.
func Routed(program string, wanted profile.Wanted) Peer {
	return supervise("ixt routed", (*supervised.Fleet).Drive,
		supervised.Echo(program).Profiled(wanted), supervised.Drive(program).Profiled(wanted))
}

func fromHere(f *supervised.Fleet, ctx context.Context, spec load.Spec) (load.Result, error) {
	return load.Run(ctx, f.Say, spec)
}

type loader func(*supervised.Fleet, context.Context, load.Spec) (load.Result, error)

func supervise(name string, put loader, modules ...supervised.Module) Peer {
	return Peer{Name: name, Start: func(_ context.Context, dir string) (*Running, error) {
		f, err := supervised.Start(dir, modules...)
		if err != nil {
			return nil, err
		}
		return &Running{
			Load: func(ctx context.Context, spec load.Spec) (load.Result, error) { return put(f, ctx, spec) },
			Stop: f.Stop,
		}, nil
	}}
}
