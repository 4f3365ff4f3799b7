package manifest

import (
	"maps"
	"reflect"
	"slices"

	"github.com/ixtrun/ixt/manifest/internal/document"
)

// Resolve makes the module that runs: flags over supervisor.toml over manifest.toml over defaults, checked as a whole.
// Secrets are read from their places each time. Sets for other modules are passed over. Of op counts what was read from its
// file, not what was changed in it afterwards.
// The error is [Problems], each naming the file or flag that is to blame.
func Resolve(m *Manifest, op *Operator, sets ...Set) (*Module, error) {
	d := newDecoder(m.file)
	base := &Manifest{file: m.file, tree: m.tree}
	d.manifest(base)
	over := Override{Module: base.Module}
	v := reflect.ValueOf(&over).Elem()
	if tree := op.override(m.Name); tree != nil {
		d.source = source{file: op.file, prefix: document.Join("module", m.Name)}
		d.decode(overrideKeys(), tree, v, "")
	}
	for _, set := range sets {
		if set.Module == m.Name {
			d.source = source{file: "--set " + set.Module + ":" + set.Key, flag: true}
			d.set(set, base, v)
		}
	}
	d.source = source{file: m.file}
	d.checkSecrets(over.Secrets, "")
	out := over.Module
	out.origins = d.origins
	d.check(&out)
	d.configure(&out, base.Config, over, op.Dir)
	if err := d.problems.Err(); err != nil {
		return nil, err
	}
	return &out, nil
}

// override is the tree of the [module.NAME] of that name, or nil; an Operator that was not read from a file has none.
func (op *Operator) override(name string) *document.Node {
	if op.tree == nil {
		return nil
	}
	if modules := op.tree.Keys["module"]; modules != nil {
		return modules.Keys[name]
	}
	return nil
}

// configure fills the configuration of m in: defaults, then what was written, then secrets.
func (d *decoder) configure(m *Module, entries map[string]Entry, over Override, dir string) {
	m.Config, m.secret = map[string]any{}, map[string]bool{}
	names := slices.Sorted(maps.Keys(entries))
	for _, name := range names {
		e, path := entries[name], document.Join("config", name)
		m.secret[name] = e.Secret
		v, written := over.Config[name]
		_, secret := over.Secrets[name]
		switch {
		case secret:
			if written {
				d.blame(path, "is given by config and by secrets", "keep one of them")
			}
		case written && e.Secret:
			d.blame(path, "is a secret, its value is never written in a file or flag", "write "+document.Join("secrets", name)+" = "+places)
		case written && v == nil: // reported by the decoder
		case written:
			value, message, remedy := e.accept(v)
			if message != "" {
				d.blame(path, message, remedy)
			}
			m.Config[name] = value
		case e.Default != nil:
			m.Config[name], _, _ = e.accept(e.Default)
			d.origins[path] = d.origins[path+".default"]
		case e.Required:
			message, remedy := e.missing(m.Name, name)
			d.blame(path, message, remedy)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(over.Config)) {
		if _, declared := entries[name]; !declared {
			d.blame(document.Join("config", name), "is not a config key of "+m.Name, suggest(name, names))
		}
	}
	d.secrets(m, entries, over.Secrets, dir)
}

// CheckOperator looks for overrides of modules that nobody has. The error is [Problems].
func CheckOperator(op *Operator, ms []*Manifest) error {
	var problems Problems
	names := namesOf(ms)
	for _, name := range slices.Sorted(maps.Keys(op.Module)) {
		if tree := op.override(name); tree != nil && !slices.Contains(names, name) {
			pos := tree.Key
			problems = append(problems, Problem{File: op.file, Line: pos.Line, Column: pos.Column,
				Key: document.Join("module", name), Message: "no module has this name", Remedy: suggest(name, names)})
		}
	}
	return problems.Err()
}

func namesOf(ms []*Manifest) []string {
	var names []string
	for _, m := range ms {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return names
}
