package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ixtrun/ixt/manifest/internal/document"
)

// StartOrder sorts modules so that each comes behind those named by its after, and by name where that leaves a choice.
// The error is [Problems]: two modules of one name, a name that nobody has, or a circle.
func StartOrder(ms []*Module) ([]*Module, error) {
	o := &ordering{byName: map[string]*Module{}}
	sorted := slices.SortedFunc(slices.Values(ms), func(a, b *Module) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.File, b.File))
	})
	for _, m := range sorted {
		if first, taken := o.byName[m.Name]; taken {
			o.blame(m, "module.name", fmt.Sprintf("%q is the name of %s too", m.Name, first.File), "give each module a name of its own")
			continue
		}
		o.byName[m.Name] = m
	}
	for _, m := range sorted {
		o.visit(m, nil)
	}
	if err := o.problems.Err(); err != nil {
		return nil, err
	}
	return o.done, nil
}

type ordering struct {
	byName   map[string]*Module
	done     []*Module
	problems Problems
}

func (o *ordering) blame(m *Module, key, message, remedy string) {
	o.problems = append(o.problems, m.problem(key, message, remedy))
}

// problem is one with a key of a module that has been resolved.
func (m *Module) problem(key, message, remedy string) Problem {
	at := m.origins.of(key)
	return Problem{File: cmp.Or(at.file, m.File), Line: at.pos.Line, Column: at.pos.Column, Key: cmp.Or(at.key, key), Message: message, Remedy: remedy}
}

// visit appends m behind all it comes after; way is the modules that led to it.
func (o *ordering) visit(m *Module, way []*Module) {
	if slices.Contains(o.done, m) || o.byName[m.Name] != m {
		return
	}
	way = append(slices.Clone(way), m)
	for _, name := range slices.Sorted(maps.Keys(m.After)) {
		key := document.Join("after", name)
		before, known := o.byName[name]
		switch start := slices.Index(way, before); {
		case !known:
			o.blame(m, key, fmt.Sprintf("no module is called %q", name), suggest(name, slices.Sorted(maps.Keys(o.byName))))
		case start >= 0:
			o.blame(m, key, "modules wait for each other: "+circle(way[start:]), "remove one of these; after only orders starts, calls go both ways without it")
		default:
			o.visit(before, way)
		}
	}
	o.done = append(o.done, m)
}

// circle is a -> b -> a, where each starts after the next.
func circle(ms []*Module) string {
	var names []string
	for _, m := range ms {
		names = append(names, m.Name)
	}
	return strings.Join(append(names, names[0]), " -> ")
}
