package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/bench/internal/peer"
	"github.com/ixtrun/ixt/bench/internal/report"
)

func TestRowsCompareOursWithEach(t *testing.T) {
	ours, theirs := peer.Peer{Name: "ours"}, peer.Peer{Name: "rival"}
	const us = time.Microsecond
	results := map[string][]load.Result{ // the machine is slow for both in the second round, and fast for ours in the third
		"ours":  {{P50: 50 * us, P99: 90 * us, PerSecond: 30000}, {P50: 150 * us, P99: 900 * us, PerSecond: 9000}, {P50: 25 * us, P99: 80 * us, PerSecond: 60000}},
		"rival": {{P50: 100 * us, P99: 200 * us, PerSecond: 10000}, {P50: 300 * us, P99: 700 * us, PerSecond: 3000}, {P50: 100 * us, P99: 200 * us, PerSecond: 10000}},
	}
	for name, c := range map[string]struct {
		traffic traffic
		ratio   float64
		bound   float64
	}{
		"rates":     {traffic{ours: ours, rivals: []rival{{theirs, atLeast(4)}}}, 3, 4},
		"latencies": {traffic{ours: ours, latency: true, rivals: []rival{{theirs, atMost(0.6)}}}, 0.5, 0.6},
	} {
		t.Run(name, func(t *testing.T) {
			c.traffic.size = 1000
			rows := c.traffic.rows(results)
			require.Len(t, rows, 2)
			require.Equal(t, report.Row{Name: "ours", Load: &report.Load{
				P50: 50 * time.Microsecond, P99: 90 * time.Microsecond, PerSecond: 30000, MBPerSec: 30,
			}}, rows[0])
			require.InDelta(t, c.ratio, rows[1].Ratio, 1e-9)
			require.Equal(t, &report.Target{Got: report.Quantity{Value: rows[1].Ratio, Unit: "×"}, Bound: c.bound, AtLeast: !c.traffic.latency}, rows[1].Target)
		})
	}
}

func TestRowsWithoutThoseThatWereNotWanted(t *testing.T) {
	all := traffic{ours: peer.Peer{Name: "ours"}, rivals: []rival{{peer.Peer{Name: "rival"}, atLeast(2)}}}
	require.Empty(t, all.rows(nil))
	require.Len(t, all.rows(map[string][]load.Result{"ours": {{}}}), 1)
	alone := all.rows(map[string][]load.Result{"rival": {{PerSecond: 5}}})
	require.Len(t, alone, 1)
	require.Nil(t, alone[0].Target, "there is nothing to compare it with")
}

func TestInTurn(t *testing.T) {
	var order []string
	way := func(name string, times ...time.Duration) func() (time.Duration, error) {
		n := 0
		return func() (time.Duration, error) {
			order = append(order, name)
			n++
			return times[n-1], nil
		}
	}
	took, err := inTurn(4, way("a", 5, 1, 3, 9), way("b", 20, 90, 40, 10))
	require.NoError(t, err)
	require.Equal(t, [][]time.Duration{{5, 1, 3, 9}, {20, 90, 40, 10}}, took)
	require.Equal(t, []string{"a", "b", "b", "a", "b", "a", "a", "b"}, order)
}
