// Package measure has the questions that are asked, with the targets of their answers.
package measure

import (
	"context"
	"os/exec"
	"regexp"
	"slices"
	"time"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/bench/internal/peer"
	"github.com/ixtrun/ixt/bench/internal/profile"
	"github.com/ixtrun/ixt/bench/internal/program"
	"github.com/ixtrun/ixt/bench/internal/report"
)

// Settings are how much is measured.
type Settings struct {
	Rounds    int            // of everything, more of what is over soon; medians are taken over them
	For       time.Duration  // each load of a round, over 0
	Idle      time.Duration  // how long an idle supervisor is watched: as often as health checks come (10 s), or a multiple
	Instances int            // of an idle supervisor
	Starts    int            // instances that are started at once
	Crowd     int            // instances that one supervisor has to bear
	Peers     *regexp.Regexp // that are put under load
	Dir       string         // for sockets and manifests, a short path
	Programs  program.Set
	Profiles  profile.Wanted // of the modules
}

// Measure is one question.
type Measure struct {
	Name string
	Run  func(context.Context, *Settings) (report.Measure, error)
}

// All returns every question. What is measured of a whole process comes first, while this one is small, and starts before what starts a
// thousand instances and removes their files, which a file system may remember for some seconds.
func All(s *Settings) []Measure {
	call, conn, routed := peer.Call(s.Programs.Echo, s.Profiles), peer.Conn(), peer.Routed(s.Programs.Echo, s.Profiles)
	raw, netRPC, ttRPC, gRPC := peer.Raw(), peer.NetRPC(), peer.TTRPC(), peer.GRPC()
	return []Measure{
		idle(), starts(), recovery(), crowd(),
		traffic{name: "64 B, 1 caller, latency", size: 64, callers: 1, latency: true, ours: call, rivals: []rival{
			{gRPC, atMost(0.5)}, {ttRPC, atMost(0.85)}, {raw, atMost(3.5)}, {netRPC, nil}, {conn, nil},
		}}.measure(),
		traffic{name: "64 B, 64 callers", size: 64, callers: 64, ours: call, rivals: []rival{
			{gRPC, atLeast(4)}, {ttRPC, atLeast(2.2)}, {netRPC, atLeast(1.5)}, {conn, atLeast(0.8)},
		}}.measure(),
		traffic{name: "1 KiB, 64 callers", size: 1 << 10, callers: 64, ours: call, rivals: []rival{
			{gRPC, atLeast(2.5)}, {ttRPC, atLeast(1.3)}, {netRPC, nil}, {conn, nil},
		}}.measure(),
		traffic{name: "64 KiB, 16 callers", size: 64 << 10, callers: 16, ours: call, rivals: []rival{
			{gRPC, atLeast(1.5)}, {ttRPC, nil}, {netRPC, nil}, {conn, nil},
		}}.measure(),
		traffic{name: "1 MiB, 1 caller", size: 1 << 20, callers: 1, ours: call, rivals: []rival{
			{gRPC, atLeast(3)}, {raw, atLeast(0.5)}, {ttRPC, nil}, {netRPC, nil}, {conn, nil},
		}}.measure(),
		traffic{name: "module to module, 64 B, 64 callers", size: 64, callers: 64, ours: routed, rivals: []rival{
			{peer.NATS(), atLeast(1.3)},
		}}.measure(),
		needsPython(traffic{name: "Python SDK, 64 B, 16 callers", size: 64, callers: 16, ours: peer.Python(), rate: atLeast(5000).reached(2500)}.measure()),
	}
}

func needsPython(m Measure) Measure {
	if _, err := exec.LookPath("python3"); err != nil {
		m.Run = func(context.Context, *Settings) (report.Measure, error) {
			return report.Measure{Name: m.Name, Skipped: "there is no python3 in PATH"}, nil
		}
	}
	return m
}

// target makes a Target of what was got; nil is none.
type target func(got report.Quantity) *report.Target

func atMost(bound float64) target {
	return func(got report.Quantity) *report.Target { return &report.Target{Got: got, Bound: bound} }
}

func atLeast(bound float64) target {
	return func(got report.Quantity) *report.Target {
		return &report.Target{Got: got, Bound: bound, AtLeast: true}
	}
}

// reached says how far one got with a target that has never been met, or, being no ratio, is not by a slower machine.
func (t target) reached(value float64) target {
	return func(got report.Quantity) *report.Target {
		out := t(got)
		out.Reached = value
		return out
	}
}

// compared puts the ratio of ours to the row's into the row, with its target. It is the median of the ratios of the rounds: what slows
// the machine down for longer than a round does it to both.
func compared[F time.Duration | float64](row report.Row, ours, theirs []F, t target) report.Row {
	ratios := make([]float64, len(ours))
	for round := range ours {
		ratios[round] = float64(ours[round]) / float64(theirs[round])
	}
	row.Ratio = load.MedianOf(ratios)
	if t != nil {
		row.Target = t(report.Quantity{Value: row.Ratio, Unit: "×"})
	}
	return row
}

// order is in which order n are measured in a round: another one is the first each time, and once all have been, it is turned round. So
// nobody always comes after the same other one, with whose end the system may still be busy.
func order(round, n int) (indices []int) {
	for i := range n {
		indices = append(indices, (i+round)%n)
	}
	if round/n%2 == 1 {
		slices.Reverse(indices)
	}
	return indices
}
