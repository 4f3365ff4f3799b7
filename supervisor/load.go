package supervisor

import (
	"errors"
	"slices"

	"github.com/ixtrun/ixt/manifest"
)

// load finds the manifests and lays everything over them, in start order.
func load(opts *Options) ([]*manifest.Module, error) {
	paths, err := manifest.Find(slices.Concat(opts.Dirs, opts.Operator.Modules)...)
	if err != nil {
		return nil, err
	}
	var problems manifest.Problems
	var authored []*manifest.Manifest
	var modules []*manifest.Module
	gather := func(err error) error {
		var ps manifest.Problems
		if !errors.As(err, &ps) {
			return err
		}
		problems = append(problems, ps...)
		return nil
	}
	for _, path := range paths {
		m, err := manifest.Load(path)
		if err == nil {
			authored = append(authored, m)
			var resolved *manifest.Module
			if resolved, err = manifest.Resolve(m, opts.Operator, opts.Set...); err == nil {
				modules = append(modules, resolved)
			}
		}
		if err := gather(err); err != nil {
			return nil, err
		}
	}
	if len(problems) == 0 { // overrides for a module whose manifest could not be read would only look wrong
		if err := gather(manifest.CheckOperator(opts.Operator, authored)); err != nil {
			return nil, err
		}
		if err := gather(manifest.CheckSets(opts.Set, authored)); err != nil {
			return nil, err
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return manifest.StartOrder(modules)
}
