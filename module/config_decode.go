package module

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ixtrun/ixt/ipc"
)

// configDecoder walks the configuration and the Go value together, so that every problem is found and has a path.
type configDecoder struct{ problems []string }

func decodeConfig(raw json.RawMessage, v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("Config.Decode needs a pointer to decode into, not %T", v)
	}
	var d configDecoder
	d.value("config", raw, target.Elem())
	if len(d.problems) == 0 {
		return nil
	}
	return Errorf(ipc.CodeConfigInvalid, "%s", strings.Join(d.problems, "; "))
}

func (d *configDecoder) problem(path, format string, args ...any) {
	d.problems = append(d.problems, path+": "+fmt.Sprintf(format, args...))
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	durationType    = reflect.TypeFor[time.Duration]()
)

func (d *configDecoder) value(path string, raw json.RawMessage, to reflect.Value) {
	t := to.Type()
	pointer := reflect.PointerTo(t)
	switch {
	case string(raw) == "null":
		d.problem(path, "is null; leave it out instead")
	case t == durationType:
		d.duration(path, raw, to)
	case pointer.Implements(jsonUnmarshaler) || pointer.Implements(textUnmarshaler):
		d.plain(path, raw, to)
	case t.Kind() == reflect.Pointer:
		if to.IsNil() {
			to.Set(reflect.New(t.Elem()))
		}
		d.value(path, raw, to.Elem())
	case t.Kind() == reflect.Struct:
		d.object(path, raw, to)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		d.mapping(path, raw, to)
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		d.list(path, raw, to)
	default:
		d.plain(path, raw, to)
	}
}

// plain leaves a value to encoding/json and puts its complaint into the author's words.
func (d *configDecoder) plain(path string, raw json.RawMessage, to reflect.Value) {
	err := json.Unmarshal(raw, to.Addr().Interface())
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		d.problem(path, "is %s, expected %s", article(kind.Value), expected(kind.Type))
	case err != nil:
		d.problem(path, "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
}

func (d *configDecoder) duration(path string, raw json.RawMessage, to reflect.Value) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		d.problem(path, `is %s, expected a duration like "5s" or "1m30s"`, raw)
		return
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		d.problem(path, `%q is not a duration; write it like "5s" or "1m30s"`, text)
		return
	}
	to.SetInt(int64(v))
}

// members takes an object apart; ok is false if raw is none.
func (d *configDecoder) members(path string, raw json.RawMessage) (m map[string]json.RawMessage, ok bool) {
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		d.problem(path, "is %s, expected an object", kindOf(raw))
		return nil, false
	}
	return m, true
}

func (d *configDecoder) object(path string, raw json.RawMessage, to reflect.Value) {
	members, ok := d.members(path, raw)
	if !ok {
		return
	}
	fields := fieldsOf(to.Type())
	taken := make(map[string]string)
	for _, key := range slices.Sorted(maps.Keys(members)) {
		name := flatten(key)
		field, known := fields[name]
		switch {
		case !known:
			d.problem(path+"."+key, "is not known; %s has %s", path, names(fields))
		case taken[name] != "":
			d.problem(path+"."+key, "means the same as %s.%s; write one of them", path, taken[name])
		default:
			taken[name] = key
			d.value(path+"."+key, members[key], fieldAt(to, field.index))
		}
	}
}

func (d *configDecoder) mapping(path string, raw json.RawMessage, to reflect.Value) {
	members, ok := d.members(path, raw)
	if !ok {
		return
	}
	if to.IsNil() {
		to.Set(reflect.MakeMap(to.Type()))
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		element := reflect.New(to.Type().Elem()).Elem()
		d.value(path+"."+key, members[key], element)
		to.SetMapIndex(reflect.ValueOf(key).Convert(to.Type().Key()), element)
	}
}

func (d *configDecoder) list(path string, raw json.RawMessage, to reflect.Value) {
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		d.problem(path, "is %s, expected an array", kindOf(raw))
		return
	}
	to.Set(reflect.MakeSlice(to.Type(), len(elements), len(elements)))
	for i, element := range elements {
		d.value(fmt.Sprintf("%s[%d]", path, i), element, to.Index(i))
	}
}

// configField is a field of a struct and the key that people write for it.
type configField struct {
	key   string
	index []int
}

// fieldsOf finds a struct's fields by their flattened names; those of embedded structs count as its own.
func fieldsOf(t reflect.Type) map[string]configField {
	fields := make(map[string]configField)
	for _, f := range reflect.VisibleFields(t) {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || key == "-" || f.Anonymous && key == "" {
			continue
		}
		if key == "" {
			key = snakeCase(f.Name)
		}
		fields[flatten(key)] = configField{key, f.Index}
	}
	return fields
}

// fieldAt returns a field, and makes the embedded structs on the way to it.
func fieldAt(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

// names lists what could have been written.
func names(fields map[string]configField) string {
	if len(fields) == 0 {
		return "no keys"
	}
	keys := make([]string, 0, len(fields))
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

// snakeCase writes MaxItems as max_items and HTTPPort as http_port.
func snakeCase(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		word := i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if word {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// flatten makes max_items, maxItems and MaxItems one.
func flatten(key string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(key))
}

func kindOf(raw json.RawMessage) string {
	switch b := bytes.TrimSpace(raw); {
	case len(b) == 0:
		return "empty"
	case b[0] == '{':
		return "an object"
	case b[0] == '[':
		return "an array"
	case b[0] == '"':
		return "a string"
	case b[0] == 't' || b[0] == 'f':
		return "a boolean"
	default:
		return "a number"
	}
}
