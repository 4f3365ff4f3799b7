package manifest

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ixtrun/ixt/manifest/internal/document"
	"github.com/ixtrun/ixt/manifest/internal/keys"
)

// Setting is one effective value of a module.
type Setting struct {
	Key    string `json:"key"`    // as --set takes it: restart.give_up, config.limit
	Value  string `json:"value"`  // as TOML writes it; "(secret)" for a secret
	Origin string `json:"origin"` // "default", "manifest.toml:12", "supervisor.toml:8", "flag --set"; of a secret its place, such as "env TOKEN"
}

// Settings is every effective value, sorted by key. A text that is empty was not given and is left out; a list or table that
// is empty says something: nothing is required, and so nothing allowed.
func (m *Module) Settings() []Setting {
	var all []Setting
	m.settings(keys.Of(reflect.TypeFor[Module]()), reflect.ValueOf(m).Elem(), "", &all)
	for name, v := range m.Config {
		key, text := document.Join("config", name), ""
		if text = literal(v); m.secret[name] {
			text = "(secret)"
		}
		all = append(all, Setting{key, text, m.origins.layer(key)})
	}
	slices.SortFunc(all, func(a, b Setting) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// settings appends the values at and below a key.
func (m *Module) settings(k *keys.Key, v reflect.Value, path string, all *[]Setting) {
	switch {
	case k.Kind == keys.Table:
		for _, sub := range k.Keys {
			m.settings(sub, field(sub, v), document.Join(path, sub.Name), all)
		}
	case k.Kind == keys.Map && v.Len() > 0:
		for _, name := range v.MapKeys() {
			m.settings(k.Every, v.MapIndex(name), document.Join(path, name.String()), all)
		}
	case k.Kind == keys.String && v.Len() == 0:
	default:
		*all = append(*all, Setting{path, written(v), m.origins.layer(path)})
	}
}

// written is a value of one of our types as TOML writes it.
func written(v reflect.Value) string {
	switch text, ok := v.Interface().(fmt.Stringer); {
	case ok:
		return literal(text.String())
	case v.Kind() == reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = written(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case v.Kind() == reflect.Map:
		return "{}" // one with keys is shown key by key
	}
	return literal(v.Interface())
}
