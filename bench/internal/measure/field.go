package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/bench/internal/peer"
)

// field is the peers that have been started.
type field []starter

type starter struct {
	name string
	*peer.Running
}

// start brings up the peers that are wanted. Those that came up before an error are in the field.
func (f *field) start(ctx context.Context, s *Settings, peers []peer.Peer) error {
	for _, p := range peers {
		if !s.Peers.MatchString(p.Name) {
			continue
		}
		dir, err := os.MkdirTemp(s.Dir, "")
		if err != nil {
			return err
		}
		running, err := p.Start(ctx, dir)
		if err != nil {
			return fmt.Errorf("starting %s: %w", p.Name, err)
		}
		*f = append(*f, starter{p.Name, running})
	}
	return nil
}

// loads puts a load on one peer after the other, round after round, so that what disturbs the machine disturbs all of them. It returns
// by peer what each round showed.
func (f *field) loads(ctx context.Context, rounds int, spec load.Spec) (map[string][]load.Result, error) {
	results := map[string][]load.Result{}
	for round := range rounds {
		for _, i := range order(round, len(*f)) {
			p := (*f)[i]
			runtime.GC()
			result, err := p.Load(ctx, spec)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			results[p.name] = append(results[p.name], result)
		}
	}
	return results, nil
}

func (f *field) stop() (err error) {
	for _, p := range *f {
		if stopped := p.Stop(); stopped != nil {
			err = errors.Join(err, fmt.Errorf("stopping %s: %w", p.name, stopped))
		}
	}
	return err
}
