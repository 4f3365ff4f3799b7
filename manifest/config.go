package manifest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/ixtrun/ixt/manifest/internal/document"
)

// checkEntries checks the declarations of a configuration, each default included.
func (d *decoder) checkEntries(entries map[string]Entry) {
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		e, path := entries[name], document.Join("config", name)
		if e.Type == "" {
			continue // reported by the decoder
		}
		d.checkBounds(e, path)
		for i, allowed := range e.Enum {
			if allowed == nil {
				continue // reported by the decoder
			}
			if _, message, remedy := e.typed(allowed); message != "" {
				d.blame(fmt.Sprintf("%s.enum[%d]", path, i), message, remedy)
			}
		}
		switch {
		case e.Default == nil:
		case e.Secret:
			d.blame(path+".default", "a secret has no default, its value would be in the manifest", "remove it; the operator gives the value by secrets in supervisor.toml")
		default:
			if _, message, remedy := e.accept(e.Default); message != "" {
				d.report(path+".default", path, "default "+message, remedy)
			}
		}
	}
}

// declaration is the remedy where a config key was given its value instead of its declaration.
func declaration(v any) string {
	return fmt.Sprintf("write { type = %q, default = %s }", typeOf(v), brief(v))
}

// report is blame for a problem at the place of one key that speaks of another.
func (d *decoder) report(at, path, message, remedy string) {
	d.blame(at, message, remedy)
	d.problems[len(d.problems)-1].Key = d.key(path)
}

func (d *decoder) checkBounds(e Entry, path string) {
	measurable := e.Type != "boolean" && e.Type != "table"
	for _, bound := range []struct {
		name  string
		value any
	}{{"min", e.Min}, {"max", e.Max}} {
		switch n, whole := bound.value.(int64); {
		case bound.value == nil:
		case !measurable:
			d.blame(path+"."+bound.name, article(e.Type)+" has no "+bound.name, "remove it")
		case e.Type == "float":
		case !whole && e.Type == "integer":
			message, remedy := mismatch(bound.value, "integer")
			d.blame(path+"."+bound.name, message, remedy)
		case e.Type != "integer" && (!whole || n < 0):
			d.blame(path+"."+bound.name, brief(bound.value)+" is no length", "write a whole number, 0 or more")
		}
	}
	if e.Min != nil && e.Max != nil && less(e.Max, e.Min) {
		d.blame(path+".max", fmt.Sprintf("max, %s, is less than min, %s", literal(e.Max), literal(e.Min)), "exchange them")
	}
}

// accept checks a value against the declaration and returns it in the declared type: the one conversion there is makes a
// float of an integer.
func (e Entry) accept(v any) (value any, message, remedy string) {
	v, message, remedy = e.typed(v)
	if message != "" {
		return nil, message, remedy
	}
	if len(e.Enum) > 0 && !slices.ContainsFunc(e.Enum, func(allowed any) bool {
		allowed, _, _ = e.typed(allowed)
		return reflect.DeepEqual(allowed, v)
	}) {
		return nil, fmt.Sprintf("%s is not one of %s", e.shown(v), literal(e.Enum)), "write one of them"
	}
	var size any
	unit := ""
	switch v := v.(type) {
	case int64, float64:
		size = v
	case string:
		size, unit = int64(utf8.RuneCountInString(v)), " characters"
	case []any:
		size, unit = int64(len(v)), " values"
	}
	has, or := e.shown(v)+" is", " or "
	if unit != "" {
		has = fmt.Sprintf("%s has %v%s,", e.shown(v), size, unit)
		or = " of them or "
	}
	switch {
	case size != nil && e.Min != nil && less(size, e.Min):
		return nil, fmt.Sprintf("%s less than min, %s", has, literal(e.Min)), "write " + literal(e.Min) + or + "more"
	case size != nil && e.Max != nil && less(e.Max, size):
		return nil, fmt.Sprintf("%s more than max, %s", has, literal(e.Max)), "write " + literal(e.Max) + or + "less"
	}
	return v, "", ""
}

// typed is accept without the declared bounds.
func (e Entry) typed(v any) (value any, message, remedy string) {
	if n, ok := v.(int64); ok && e.Type == "float" {
		return float64(n), "", ""
	}
	if typeOf(v) == e.Type {
		return v, "", ""
	}
	if e.Secret {
		return nil, fmt.Sprintf("the value is %s, type says %s", article(typeOf(v)), e.Type), "write " + article(e.Type)
	}
	message, remedy = mismatch(v, e.Type)
	return nil, message, remedy
}

// shown is a value as messages may repeat it.
func (e Entry) shown(v any) string {
	if e.Secret {
		return "the value"
	}
	return brief(v)
}

// less compares two numbers, integers among themselves exactly.
func less(a, b any) bool {
	i, ok := a.(int64)
	j, also := b.(int64)
	if ok && also {
		return i < j
	}
	return float(a) < float(b)
}

func float(v any) float64 {
	if n, ok := v.(int64); ok {
		return float64(n)
	}
	f, _ := v.(float64)
	return f
}
