package measure

import (
	"context"
	"errors"

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
	medians, err := t.medians(ctx, s, peers)
	if err == nil {
		out.Rows = t.rows(medians)
	}
	return out, err
}

// medians starts the peers that are wanted and puts the load on each, round after round.
func (t traffic) medians(ctx context.Context, s *Settings, peers []peer.Peer) (_ map[string]load.Result, err error) {
	f := &field{}
	defer func() { err = errors.Join(err, f.stop()) }()
	if err := f.start(ctx, s, peers); err != nil {
		return nil, err
	}
	return f.medians(ctx, s.Rounds, load.Spec{Size: t.size, Callers: t.callers, Warmup: s.For / 4, For: s.For})
}

// rows has ours first; whoever was not wanted is not in medians and has no row.
func (t traffic) rows(medians map[string]load.Result) (rows []report.Row) {
	ours, measured := medians[t.ours.Name]
	if measured {
		row := t.row(t.ours.Name, ours)
		if t.rate != nil {
			row.Target = t.rate(report.Quantity{Value: ours.PerSecond, Unit: "calls/s"})
		}
		rows = append(rows, row)
	}
	for _, r := range t.rivals {
		theirs, asked := medians[r.peer.Name]
		if !asked {
			continue
		}
		row := t.row(r.peer.Name, theirs)
		if measured {
			row = compared(row, t.figure(ours), t.figure(theirs), r.target)
		}
		rows = append(rows, row)
	}
	return rows
}

func (t traffic) figure(r load.Result) float64 {
	if t.latency {
		return float64(r.P50)
	}
	return r.PerSecond
}

func (t traffic) row(name string, r load.Result) report.Row {
	return report.Row{Name: name, Load: &report.Load{
		P50: r.P50, P99: r.P99, PerSecond: r.PerSecond, MBPerSec: r.PerSecond * float64(t.size) / 1e6,
	}}
}
