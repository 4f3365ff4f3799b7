package supervisor

import (
	"slices"

	"github.com/ixtrun/ixt/manifest"
)

// Check finds out whether New would take opts. It also compares files with their digests, which a running supervisor does
// before each start; where a module is yet to be built, that comes first. It returns the modules in start order; with an
// error, which is manifest.Problems with all that is wrong or a *manifest.FindError, those that are good by themselves.
func Check(opts *Options) ([]*manifest.Module, error) {
	modules, err := load(opts)
	var problems manifest.Problems
	if err := problems.Gather(err); err != nil {
		return nil, err
	}
	for _, m := range modules {
		if m.NeedsBuild() {
			continue
		}
		if err := problems.Gather(m.VerifyDigests()); err != nil {
			return nil, err
		}
	}
	return modules, problems.Err()
}

// load finds the manifests and lays everything over them. Results are those of Check.
func load(opts *Options) ([]*manifest.Module, error) {
	op := opts.Operator
	if op == nil {
		op = manifest.NoOperator()
	}
	paths, err := manifest.Find(slices.Concat(opts.Dirs, op.Modules)...)
	if err != nil {
		return nil, err
	}
	var authored []*manifest.Manifest
	var modules []*manifest.Module
	var faults []error
	for _, path := range paths {
		m, err := manifest.Load(path)
		if err == nil {
			authored = append(authored, m)
			var resolved *manifest.Module
			if resolved, err = manifest.Resolve(m, op, opts.Set...); err == nil {
				modules = append(modules, resolved)
			}
		}
		faults = append(faults, err)
	}
	// Who names a module whose manifest could not be read would only look wrong.
	if len(authored) == len(paths) {
		faults = append(faults, manifest.CheckOperator(op, authored), manifest.CheckSets(opts.Set, authored))
	}
	if len(modules) == len(paths) {
		ordered, err := manifest.StartOrder(modules)
		if faults = append(faults, err, manifest.CheckTopics(modules)); err == nil {
			modules = ordered
		}
	}
	var problems manifest.Problems
	for _, err := range faults {
		if err := problems.Gather(err); err != nil {
			return nil, err
		}
	}
	return modules, problems.Err()
}
