package load_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/bench/internal/load"
)

// echo takes so long for each call.
func echo(takes time.Duration) load.Call {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		select {
		case <-time.After(takes):
			return payload, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func TestRun(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		takes time.Duration
		spec  load.Spec
		want  float64 // calls/s
	}{
		"one caller":                                      {2 * ms, load.Spec{Size: 64, Callers: 1, Warmup: 100 * ms, For: time.Second}, 500},
		"callers add up":                                  {2 * ms, load.Spec{Size: 64, Callers: 8, Warmup: 100 * ms, For: time.Second}, 4000},
		"calls slower than the time they have":            {400 * ms, load.Spec{Size: 8, Callers: 1, For: 100 * ms}, 2.5},
		"a warm-up in which no call has ended":            {400 * ms, load.Spec{Size: 9, Callers: 4, Warmup: ms, For: 2 * time.Second}, 10},
		"callers that all end in one and the same moment": {500 * ms, load.Spec{Size: 8, Callers: 64, For: ms}, 128},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, err := load.Run(t.Context(), echo(c.takes), c.spec)
				require.NoError(t, err)
				require.Equal(t, c.takes, r.P50)
				require.Equal(t, c.takes, r.P99)
				require.InEpsilon(t, c.want, r.PerSecond, 0.01)
			})
		})
	}
}

func TestRunTellsWhatFailed(t *testing.T) {
	broken := errors.New("broken")
	spec := load.Spec{Size: 64, Callers: 4, For: time.Second}
	for name, c := range map[string]struct {
		third load.Call
		want  string
	}{
		"an error":      {func(context.Context, []byte) ([]byte, error) { return nil, broken }, "broken"},
		"other bytes":   {func(_ context.Context, p []byte) ([]byte, error) { return append([]byte{p[0] + 1}, p[1:]...), nil }, "is not the payload"},
		"fewer bytes":   {func(_ context.Context, p []byte) ([]byte, error) { return p[1:], nil }, "an answer of 63 bytes is not the payload of 64"},
		"no answer yet": {func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n atomic.Int64
				_, err := load.Run(t.Context(), func(ctx context.Context, p []byte) ([]byte, error) {
					if n.Add(1) >= 3 && c.third != nil {
						return c.third(ctx, p)
					}
					return echo(time.Millisecond)(ctx, p)
				}, spec)
				require.ErrorContains(t, err, c.want)
			})
		})
	}
}

func TestMedian(t *testing.T) {
	rounds := []load.Result{{P50: 3, P99: 30, PerSecond: 1}, {P50: 1, P99: 10, PerSecond: 9}, {P50: 2, P99: 99, PerSecond: 2}}
	require.Equal(t, load.Result{P50: 2, P99: 30, PerSecond: 2}, load.Median(rounds))
}
