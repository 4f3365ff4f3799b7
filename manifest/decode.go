package manifest

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/ixtrun/ixt/manifest/internal/document"
	"github.com/ixtrun/ixt/manifest/internal/keys"
)

// decoder lays files over a value, one after the other, and gathers what is wrong with them. The keys and their rules are
// those of package keys.
type decoder struct {
	source
	origins  origins
	problems Problems
}

func newDecoder(file string) *decoder {
	return &decoder{source: source{file: file}, origins: origins{}}
}

// problem reports a mistake at a place of the file being read.
func (d *decoder) problem(pos document.Pos, path, message, remedy string) {
	if d.flag {
		pos = document.Pos{}
	}
	d.problems = append(d.problems, Problem{File: d.file, Line: pos.Line, Column: pos.Column, Key: d.key(path), Message: message, Remedy: remedy})
}

// blame reports a mistake in the value of a key, in whichever file it was written.
func (d *decoder) blame(path, message, remedy string) {
	o := d.origins.of(path)
	d.problems = append(d.problems, Problem{File: o.file, Line: o.pos.Line, Column: o.pos.Column, Key: o.key, Message: message, Remedy: remedy})
}

// decode lays a value of the file over v.
func (d *decoder) decode(k *keys.Key, n *document.Node, v reflect.Value, path string) {
	if _, known := d.origins[path]; !known || path != "" {
		d.origins[path] = d.origin(path, n.Pos)
	}
	switch k.Kind {
	case keys.Table:
		if short := k.ShortKey(); short != nil && n.Kind != document.Table {
			d.decode(short, n, v.FieldByIndex(short.Index), path)
		} else if d.is(document.Table, k, n, path) {
			d.table(k, n, v, path)
		}
	case keys.Map:
		if d.is(document.Table, k, n, path) {
			d.mapping(k, n, v, path)
		}
	case keys.List:
		if d.is(document.Array, k, n, path) {
			d.list(k, n, v, path)
		}
	case keys.Any:
		d.any(k, n, v, path)
	default:
		d.scalar(k, n, v, path)
	}
}

// is reports whether the value has the type asked for, and the problem if not.
func (d *decoder) is(kind document.Kind, k *keys.Key, n *document.Node, path string) bool {
	switch {
	case n.Kind == kind:
		return true
	case n.Kind == document.Time:
		d.problem(n.Pos, path, fmt.Sprintf("%s is a date or time, type says %s", n.Text, k.TypeName()), "write "+instead(n.Text, k.TypeName()))
	default:
		message, remedy := mismatch(n.Value(), k.TypeName())
		switch k.Go {
		case reflect.TypeFor[Entry]():
			remedy = declaration(n.Value())
		case reflect.TypeFor[Secret]():
			message, remedy = "the place of the value is asked for, not the value", "write "+places
		}
		d.problem(n.Pos, path, message, remedy)
	}
	return false
}

// layered is implemented by a type whose keys exclude each other: it is told the keys of a layer before they are decoded.
type layered interface{ layered(names []string) }

func (d *decoder) table(k *keys.Key, n *document.Node, v reflect.Value, path string) {
	if k.Go != nil {
		if l, ok := v.Addr().Interface().(layered); ok {
			l.layered(n.Names)
		}
	}
	var platforms []string
	for _, name := range n.Names {
		sub, child, at := k.Find(name), n.Keys[name], document.Join(path, name)
		switch {
		case sub != nil:
			d.decode(sub, child, field(sub, v), at)
		case k.Platforms && strings.Contains(name, "-"):
			platforms = append(platforms, name)
		default:
			d.unknown(k, child.Key, name, at)
		}
	}
	for _, name := range platforms {
		d.platform(k, name, n.Keys[name], v, path)
	}
	for _, sub := range k.Keys {
		switch _, given := n.Keys[sub.Name]; {
		case given:
		case sub.Required:
			d.problem(n.Pos, document.Join(path, sub.Name), "missing", "write "+sub.Name+" = "+strconv.Quote(sub.Example))
		case sub.Go == nil:
			d.table(sub, &document.Node{Pos: n.Pos}, v, document.Join(path, sub.Name))
		}
	}
}

// field is the place of a table's key; a table without a Go type keeps its keys where it is itself.
func field(k *keys.Key, table reflect.Value) reflect.Value {
	if k.Go == nil {
		return table
	}
	return table.FieldByIndex(k.Index)
}

func (d *decoder) mapping(k *keys.Key, n *document.Node, v reflect.Value, path string) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, name := range n.Names {
		every, key := reflect.New(k.Every.Go).Elem(), reflect.ValueOf(name)
		if before := v.MapIndex(key); before.IsValid() {
			every.Set(before)
		} else {
			setDefaults(k.Every, every)
		}
		d.decode(k.Every, n.Keys[name], every, document.Join(path, name))
		v.SetMapIndex(key, every)
	}
}

func (d *decoder) list(k *keys.Key, n *document.Node, v reflect.Value, path string) {
	v.Set(reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items)))
	for i, item := range n.Items {
		d.decode(k.Every, item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

func (d *decoder) any(k *keys.Key, n *document.Node, v reflect.Value, path string) {
	value := n.Value()
	kind := typeOf(value)
	switch bad := unfit(n); {
	case bad != nil && bad.Kind == document.Time:
		d.problem(bad.Pos, path, bad.Text+" is a date or time, for which there is no type", "write "+strconv.Quote(bad.Text))
	case bad != nil:
		d.problem(bad.Pos, path, fmt.Sprintf("%v cannot be handed to a module", bad.Float), "write a finite number")
	case k.Number && kind != "integer" && kind != "float":
		message, remedy := mismatch(value, "number")
		d.problem(n.Pos, path, message, remedy)
	default:
		v.Set(reflect.ValueOf(value))
	}
}

// unfit is the first value that has no counterpart in JSON, in which modules get their configuration.
func unfit(n *document.Node) *document.Node {
	if n.Kind == document.Time || n.Kind == document.Float && (math.IsNaN(n.Float) || math.IsInf(n.Float, 0)) {
		return n
	}
	for _, item := range n.Items {
		if bad := unfit(item); bad != nil {
			return bad
		}
	}
	for _, name := range n.Names {
		if bad := unfit(n.Keys[name]); bad != nil {
			return bad
		}
	}
	return nil
}

// unknown reports a key that does not exist, with the one that was most likely meant.
func (d *decoder) unknown(k *keys.Key, pos document.Pos, name, path string) {
	if k.Go == reflect.TypeFor[Override]() && manifestKeys().Find(name) != nil {
		d.problem(pos, path, "is said by the module's author alone, in manifest.toml", "remove it here")
		return
	}
	var known []string
	for _, sub := range k.Keys {
		known = append(known, sub.Name)
	}
	if deeper := below(k, name); Nearest(name, known) == "" && deeper != "" {
		d.problem(pos, path, "unknown key", "did you mean "+deeper+"?")
		return
	}
	d.problem(pos, path, "unknown key", suggest(name, known))
}

// below is the dotted key by which a key of that name is found further down, or "".
func below(k *keys.Key, name string) string {
	for _, sub := range k.Keys {
		if sub.Name == name {
			return name
		}
		if deeper := below(sub, name); deeper != "" {
			return sub.Name + "." + deeper
		}
	}
	return ""
}
