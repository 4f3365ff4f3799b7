package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"github.com/ixtrun/ixt/bench/internal/report"
)

// The most an idle supervisor may take.
const (
	heapPerInstance = 64 // KiB
	idleShare       = 1  // % of a core
)

// idle asks what a supervisor takes while nothing happens. It is this process, so nothing else may run in it.
func idle() Measure {
	const name = "idle supervisor"
	return Measure{name, func(ctx context.Context, s *Settings) (out report.Measure, err error) {
		out.Name = fmt.Sprintf("%s with %d instances", name, s.Instances)
		before := memory()
		f, err := startFleet(ctx, s, s.Instances)
		if err != nil {
			return out, err
		}
		defer func() { err = errors.Join(err, f.Stop()) }()
		after := memory()
		share, err := busy(ctx, s.Idle)
		if err != nil {
			return out, err
		}
		per := func(before, after uint64) float64 {
			return (float64(after) - float64(before)) / 1024 / float64(s.Instances)
		}
		out.Rows = []report.Row{
			valueRow("heap per instance", per(before.HeapAlloc, after.HeapAlloc), "KiB", atMost(heapPerInstance)),
			valueRow("stacks per instance", per(before.StackInuse, after.StackInuse), "KiB", nil),
			valueRow("CPU, of one core", share*100, "%", atMost(idleShare)),
		}
		return out, nil
	}}
}

func valueRow(name string, value float64, unit string, t target) report.Row {
	q := report.Quantity{Value: value, Unit: unit}
	row := report.Row{Name: name, Value: &q}
	if t != nil {
		row.Target = t(q)
	}
	return row
}

// memory is what is in use after a collection; the second one frees what finalizers held.
func memory() (m runtime.MemStats) {
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// busy returns which share of a core this process uses for a while.
func busy(ctx context.Context, window time.Duration) (float64, error) {
	before, began := cpuTime(), time.Now()
	select {
	case <-time.After(window):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return (cpuTime() - before).Seconds() / time.Since(began).Seconds(), nil
}

// cpuTime is what this process has used, without its children.
func cpuTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // cannot fail for this process
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
