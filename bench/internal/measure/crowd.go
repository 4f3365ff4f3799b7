package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ixtrun/ixt/bench/internal/report"
	"github.com/ixtrun/ixt/bench/internal/supervised"
	"github.com/ixtrun/ixt/ipc"
)

// crowd asks whether one supervisor bears a great many instances: each of them is called and must answer.
func crowd() Measure {
	const name = "many instances on one supervisor"
	return Measure{name, func(ctx context.Context, s *Settings) (out report.Measure, err error) {
		out.Name = name
		if s.Crowd == 0 {
			out.Skipped = "-quick leaves it out"
			return out, nil
		}
		began := time.Now()
		f, err := startFleet(ctx, s, s.Crowd)
		if err != nil {
			return out, err
		}
		defer func() { err = errors.Join(err, f.Stop()) }()
		started := time.Since(began)
		answering, err := rollCall(ctx, f)
		if err != nil {
			return out, err
		}
		out.Rows = []report.Row{
			valueRow("instances that answer", float64(answering), "", atLeast(float64(s.Crowd))),
			timeRow("start, until all are ready", started),
		}
		return out, nil
	}}
}

// rollCall calls each instance by its own name and returns how many answered.
func rollCall(ctx context.Context, f *supervised.Fleet) (answering int, err error) {
	for _, m := range f.Modules() {
		for _, in := range m.Instances {
			id := ipc.ModuleID{Name: m.Name, Version: m.Version, Instance: in.Instance}
			payload := fmt.Appendf(nil, "are you there, %s?", id)
			got, err := f.SayTo(ctx, id.String(), payload)
			if err != nil {
				return answering, err
			}
			if bytes.Equal(got, payload) {
				answering++
			}
		}
	}
	return answering, nil
}
