package manifest

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ixtrun/ixt/manifest/internal/document"
	"github.com/ixtrun/ixt/manifest/internal/keys"
)

// scalar lays a string, number, boolean or a text such as a duration over v, when it keeps to the key's rules.
func (d *decoder) scalar(k *keys.Key, n *document.Node, v reflect.Value, path string) {
	kind := map[keys.Kind]document.Kind{
		keys.String: document.String, keys.Text: document.String,
		keys.Integer: document.Integer, keys.Float: document.Float, keys.Boolean: document.Boolean,
	}[k.Kind]
	if k.Kind == keys.Float && n.Kind == document.Integer {
		n = &document.Node{Kind: document.Float, Pos: n.Pos, Float: float64(n.Integer)}
	}
	if !d.is(kind, k, n, path) {
		return
	}
	value := reflect.New(k.Go).Elem()
	if err := assign(value, n); err != nil {
		message, remedy, _ := strings.Cut(err.Error(), "; ")
		d.problem(n.Pos, path, message, remedy)
		return
	}
	if message, remedy := outside(k, value); message != "" {
		d.problem(n.Pos, path, message, remedy)
		return
	}
	v.Set(value)
}

// assign sets a value of the right kind.
func assign(v reflect.Value, n *document.Node) error {
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return text.UnmarshalText([]byte(n.Text))
	}
	switch v.Kind() {
	case reflect.String:
		if strings.ContainsRune(n.Text, 0) {
			return fmt.Errorf("%s has a NUL character; remove it", brief(n.Text))
		}
		v.SetString(n.Text)
	case reflect.Int, reflect.Int64:
		v.SetInt(n.Integer)
	case reflect.Float64:
		v.SetFloat(n.Float)
	case reflect.Bool:
		v.SetBool(n.Boolean)
	}
	return nil
}

// outside says which rule of its key a value breaks.
func outside(k *keys.Key, v reflect.Value) (message, remedy string) {
	if len(k.Enum) > 0 && !slices.Contains(k.Enum, v.String()) {
		near := Nearest(v.String(), k.Enum)
		if near == "" {
			near = k.Enum[0]
		}
		return fmt.Sprintf("%s is not one of %s", brief(v.String()), strings.Join(k.Enum, ", ")), "write " + strconv.Quote(near)
	}
	written := func(text string) string {
		if k.Kind == keys.Text {
			return strconv.Quote(text)
		}
		return text
	}
	number := func(v reflect.Value) float64 {
		if v.CanFloat() {
			return v.Float()
		}
		return float64(v.Int())
	}
	have := written(fmt.Sprint(v.Interface()))
	switch {
	case k.Min != "" && number(v) < number(parsed(k, k.Min)):
		return fmt.Sprintf("%s is less than the least value, %s", have, k.Min), "write " + written(k.Min) + " or more"
	case k.Max != "" && !(number(v) <= number(parsed(k, k.Max))):
		return fmt.Sprintf("%s is more than the greatest value, %s", have, k.Max), "write " + written(k.Max) + " or less"
	case v.CanFloat() && math.IsNaN(v.Float()):
		return "nan is not a number", "write a number"
	}
	return "", ""
}

// parsed is the value of a text from a tag.
func parsed(k *keys.Key, text string) reflect.Value {
	v := reflect.New(k.Go).Elem()
	d := newDecoder("tag of " + k.Struct + "." + k.Field)
	bare := *k
	bare.Min, bare.Max = "", ""
	d.decode(&bare, textNode(k.Kind, text), v, "")
	if err := d.problems.Err(); err != nil {
		panic(err) // a mistake in this package's source; every tag is read by its tests
	}
	return v
}

// textNode is the value that a text stands for where a key of that kind takes it; text that fits no other kind is a string.
func textNode(kind keys.Kind, text string) *document.Node {
	if kind != keys.String && kind != keys.Text {
		tree, faults, _ := document.Parse([]byte("value = " + text))
		if value := tree.Keys["value"]; len(faults) == 0 && value != nil && len(tree.Names) == 1 {
			return value
		}
	}
	return &document.Node{Kind: document.String, Text: text}
}

// setDefaults fills a value in with the defaults of its keys.
func setDefaults(k *keys.Key, v reflect.Value) {
	for _, sub := range k.Keys {
		switch {
		case sub.Kind == keys.Table:
			setDefaults(sub, field(sub, v))
		case sub.Default != "":
			field(sub, v).Set(parsed(sub, sub.Default))
		}
	}
}
