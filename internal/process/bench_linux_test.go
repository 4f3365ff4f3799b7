package process_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/process"
)

// BenchmarkStart starts and reaps one process, with a guard and without one.
func BenchmarkStart(b *testing.B) {
	for name, shell := range map[string]string{"guarded": "/bin/sh", "unguarded": "/nowhere/sh"} {
		b.Run(name, func(b *testing.B) {
			s := process.NewSpawnerWith(shell)
			defer s.Close()
			for b.Loop() {
				p, err := s.Start(process.Spec{Path: "/bin/true"})
				require.NoError(b, err)
				p.Reap()
			}
		})
	}
}

// BenchmarkGuard lists groups and takes them off the list again, as many as there is room for in the pipe should the guard sleep.
func BenchmarkGuard(b *testing.B) {
	const (
		groups   = 1000
		stranger = 1 << 30 // above every process id
	)
	for b.Loop() {
		b.StopTimer()
		s := process.NewSpawner()
		guard := s.GuardPID()
		b.StartTimer()
		for i := range groups {
			s.Announce(stranger + i)
		}
		for i := range groups {
			s.Withdraw(stranger + i)
		}
		b.StopTimer()
		require.Equal(b, guard, s.GuardPID())
		s.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*groups), "ns/message")
}

// BenchmarkNewSpawner starts and ends a guard.
func BenchmarkNewSpawner(b *testing.B) {
	for b.Loop() {
		process.NewSpawner().Close()
	}
}

// BenchmarkWithEnv searches a machine with 300 processes more.
func BenchmarkWithEnv(b *testing.B) {
	s := process.NewSpawner()
	defer s.Close()
	for range 300 {
		p, err := s.Start(process.Spec{Path: "/bin/sleep", Args: []string{"1000"}, Env: os.Environ()})
		require.NoError(b, err)
		defer func() {
			_ = p.SignalGroup(9)
			p.Reap()
		}()
	}
	for b.Loop() {
		process.WithEnv("IXT_TEST_MARK=1")
	}
}

func BenchmarkReadPressure(b *testing.B) {
	for b.Loop() {
		process.ReadPressure()
	}
}
