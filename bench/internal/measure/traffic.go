package measure

import (
	"context"
	"errors"
	"time"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/bench/internal/peer"
	"github.com/ixtrun/ixt/bench/internal/report"
)

// traffic asks how fast calls of one shape are, by several ways.
type traffic struct {
	name          string
	size, callers int
	latency       bool // latencies are compared, else rates
	ours          peer.Peer
	rate          target // of ours, in calls/s; nil: none
	rivals        []rival
}

// rival is whom we are compared with.
type rival struct {
	peer   peer.Peer
	target target
}

func (t traffic) measure() Measure { return Measure{t.name, t.run} }

func (t traffic) run(ctx context.Context, s *Settings) (report.Measure, error) {
	out := report.Measure{Name: t.name}
	peers := []peer.Peer{t.ours}
	for _, r := range t.rivals {
		peers = append(peers, r.peer)
	}
	results, err := t.loads(ctx, s, peers)
	if err == nil {
		out.Rows = t.rows(results)
	}
	return out, err
}

// longest is how long a load is put on at once. Two that are compared follow each other so soon that a machine which is slow for a
// second or more is that for both.
const longest = 200 * time.Millisecond

// loads starts the peers that are wanted and puts the load on each, round after round.
func (t traffic) loads(ctx context.Context, s *Settings, peers []peer.Peer) (_ map[string][]load.Result, err error) {
	f := &field{}
	defer func() { err = errors.Join(err, f.stop()) }()
	if err := f.start(ctx, s, peers); err != nil {
		return nil, err
	}
	turns := int((s.For + longest - 1) / longest)
	once := s.For / time.Duration(turns)
	return f.loads(ctx, s.Rounds*turns, load.Spec{Size: t.size, Callers: t.callers, Warmup: once / 4, For: once})
}

// rows has ours first; whoever was not wanted is not in results and has no row.
func (t traffic) rows(results map[string][]load.Result) (rows []report.Row) {
	ours, measured := results[t.ours.Name]
	if measured {
		row := t.row(t.ours.Name, load.Median(ours))
		if t.rate != nil {
			row.Target = t.rate(report.Quantity{Value: row.Load.PerSecond, Unit: "calls/s"})
		}
		rows = append(rows, row)
	}
	for _, r := range t.rivals {
		theirs, asked := results[r.peer.Name]
		if !asked {
			continue
		}
		row := t.row(r.peer.Name, load.Median(theirs))
		if measured {
			row = compared(row, t.figures(ours), t.figures(theirs), r.target)
		}
		rows = append(rows, row)
	}
	return rows
}

// figures are what is compared.
func (t traffic) figures(rounds []load.Result) (out []float64) {
	for _, r := range rounds {
		if t.latency {
			out = append(out, float64(r.P50))
		} else {
			out = append(out, r.PerSecond)
		}
	}
	return out
}

func (t traffic) row(name string, r load.Result) report.Row {
	return report.Row{Name: name, Load: &report.Load{
		P50: r.P50, P99: r.P99, PerSecond: r.PerSecond, MBPerSec: r.PerSecond * float64(t.size) / 1e6,
	}}
}
