package manifest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ixtrun/ixt/manifest/internal/document"
	"github.com/ixtrun/ixt/manifest/internal/keys"
)

// Set is one --set flag: a value for a key of one module, as text that [Resolve] reads by the key's type.
type Set struct {
	Module string
	Key    string // an operational key such as restart.give_up, or a config key with or without "config." before it
	Text   string
}

// ParseSet reads module:key=value. The error is [Problems].
func ParseSet(s string) (Set, error) {
	module, rest, colon := strings.Cut(s, ":")
	key, text, equals := strings.Cut(rest, "=")
	set := Set{strings.TrimSpace(module), strings.TrimSpace(key), text}
	if !colon || !equals || set.Module == "" || set.Key == "" {
		return Set{}, Problems{{File: "--set " + s, Message: "is not module:key=value", Remedy: "write it as in --set press:restart.give_up=10"}}
	}
	return set, nil
}

// String is the text that [ParseSet] reads.
func (s Set) String() string { return s.Module + ":" + s.Key + "=" + s.Text }

// CheckSets looks for flags for modules that nobody has. The error is [Problems].
func CheckSets(sets []Set, ms []*Manifest) error {
	var problems Problems
	names := namesOf(ms)
	for _, s := range sets {
		if !slices.Contains(names, s.Module) {
			problems = append(problems, Problem{File: "--set " + s.Module + ":" + s.Key, Message: fmt.Sprintf("no module is called %q", s.Module), Remedy: suggest(s.Module, names)})
		}
	}
	return problems.Err()
}

// set lays one flag over an override.
func (d *decoder) set(s Set, m *Manifest, v reflect.Value) {
	path := dotted(s.Key)
	if len(path) == 0 {
		d.problem(document.Pos{}, "", fmt.Sprintf("%q is no key", s.Key), "join names with dots; quote those with other characters than letters, digits, _ and -")
		return
	}
	if overrideKeys().Find(path[0]) == nil && manifestKeys().Find(path[0]) == nil {
		name := strings.Join(path, ".")
		if _, declared := m.Config[name]; !declared {
			known := slices.Sorted(maps.Keys(m.Config))
			for _, k := range overrideKeys().Keys {
				known = append(known, k.Name)
			}
			d.problem(document.Pos{}, "", "unknown key", suggest(path[0], known))
			return
		}
		path = []string{"config", name}
	}
	if path[0] == "services" {
		path = joinTopic(path, m.Provides.Services)
	}
	kind := keys.Any
	if path[0] == "config" && len(path) >= 2 {
		path = []string{"config", strings.Join(path[1:], ".")}
		kind = m.Config[path[1]].kind()
	} else if k := follow(overrideKeys(), path); k != nil {
		kind = k.Kind
	}
	text := s.Text
	if path[0] == "secrets" && path[len(path)-1] == "file" {
		text = absolute(text) // a flag's path is relative to where it is typed
	}
	tree := textNode(kind, text)
	for _, name := range slices.Backward(path) {
		tree = &document.Node{Kind: document.Table, Names: []string{name}, Keys: map[string]*document.Node{name: tree}}
	}
	d.decode(overrideKeys(), tree, v, "")
}

// dotted splits a key as TOML does; nil when it is none.
func dotted(key string) []string {
	var path []string
	tree, faults, _ := document.Parse([]byte(key + " = 0"))
	if len(faults) > 0 {
		return nil
	}
	for tree.Kind == document.Table && len(tree.Names) == 1 {
		path = append(path, tree.Names[0])
		tree = tree.Keys[tree.Names[0]]
	}
	if tree.Kind != document.Integer {
		return nil
	}
	return path
}

// joinTopic lets the topic in services.press.check.queue go without quotes.
func joinTopic(path, topics []string) []string {
	for end := len(path); end > 1; end-- {
		if topic := strings.Join(path[1:end], "."); slices.Contains(topics, topic) {
			return append([]string{path[0], topic}, path[end:]...)
		}
	}
	if len(path) > 2 {
		return []string{path[0], strings.Join(path[1:len(path)-1], "."), path[len(path)-1]}
	}
	return path
}

// follow is the key at the end of a path, or nil.
func follow(k *keys.Key, path []string) *keys.Key {
	for _, name := range path {
		switch {
		case k == nil:
			return nil
		case k.Kind == keys.Map:
			k = k.Every
		case k.Platforms && slices.Contains(platforms(), name):
		default:
			k = k.Find(name)
		}
	}
	if k != nil && k.Kind == keys.Table && k.ShortKey() != nil {
		return k.ShortKey()
	}
	return k
}
