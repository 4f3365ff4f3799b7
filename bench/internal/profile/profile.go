// Package profile writes profiles of the own process.
package profile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
)

// Wanted says which profiles are written, each into a directory; "" is none.
type Wanted struct {
	CPU   string
	Alloc string // of all allocations since the process began
	Block string // of waits longer than blockRate on average
}

// blockRate is how many ns of waiting make one sample: finer, and it would be felt.
const blockRate = 10_000

// The variables that ask another process of the benchmark for its profiles.
const (
	envCPU   = "IXT_BENCH_CPUPROFILE"
	envAlloc = "IXT_BENCH_MEMPROFILE"
	envBlock = "IXT_BENCH_BLOCKPROFILE"
)

// Environ asks another process for the same profiles; FromEnv is how that reads it.
func (w Wanted) Environ() map[string]string {
	return map[string]string{envCPU: w.CPU, envAlloc: w.Alloc, envBlock: w.Block}
}

// FromEnv is what this process was asked for.
func FromEnv() Wanted {
	return Wanted{CPU: os.Getenv(envCPU), Alloc: os.Getenv(envAlloc), Block: os.Getenv(envBlock)}
}

// Start begins the profiles; the function it returns writes them, as name.cpu.pprof and so on.
func (w Wanted) Start(name string) (finish func() error, err error) {
	var finishes []func() error
	if w.CPU != "" {
		f, err := create(w.CPU, name, "cpu")
		if err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		finishes = append(finishes, func() error { pprof.StopCPUProfile(); return f.Close() })
	}
	if w.Alloc != "" {
		finishes = append(finishes, func() error { return write(w.Alloc, name, "allocs") })
	}
	if w.Block != "" {
		runtime.SetBlockProfileRate(blockRate)
		finishes = append(finishes, func() error { return write(w.Block, name, "block") })
	}
	return func() (err error) {
		for _, finish := range finishes {
			err = errors.Join(err, finish())
		}
		return err
	}, nil
}

// write writes one of the profiles that the runtime keeps.
func write(dir, name, kind string) error {
	f, err := create(dir, name, kind)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup(kind).WriteTo(f, 0), f.Close())
}

func create(dir, name, kind string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return os.Create(filepath.Join(dir, fmt.Sprintf("%s.%s.pprof", name, kind)))
}
