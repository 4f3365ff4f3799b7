// Package keys reads from the tags of Go types which keys a file may hold. Decoding, defaults, documents and schemas all
// follow this one tree.
//
// The tag `key` names a field's key, with dots for tables that have no type of their own. An embedded struct lends its
// keys: all of them with `key:",all"`, those that an operator may change with `key:",operational"`. Further tags:
//
//	default    the value when none is given, as text
//	min, max   bounds of numbers, durations and sizes
//	enum       the texts allowed, separated by commas; of a map or list, for each of its values
//	required   "true" when the key has to be given, with an example of it in the tag example
//	for        "author" when an operator may not change the key
//	short      "true" for the key of a table that may be written in place of the table
//	number     "true" for a value of any type that has to be a number
//	platforms  "true" for a table with further tables by platform, such as linux-arm64, that override its keys
package keys

import (
	"encoding"
	"reflect"
	"strings"
)

// Kind is the type that a key's value has in the file.
type Kind int

const (
	Table   Kind = iota // known keys
	Map                 // any keys, with values of one type
	List                // values of one type
	String              //
	Integer             //
	Float               //
	Boolean             //
	Text                // a string with a form of its own, such as a duration
	Any                 // a value of any type
)

// Key is one key of a file, or the whole file.
type Key struct {
	Name string
	Kind Kind
	Go   reflect.Type // of its value; nil for a table that has no type of its own
	// Index leads from the nearest table with a Go type to the field; nil for a table without one.
	Index []int

	Default, Min, Max, Example         string
	Enum                               []string
	Required, Short, Number, Platforms bool

	Keys  []*Key // of a Table, in the order of the fields
	Every *Key   // of a Map and a List: what each value is

	// Struct and Field say where the key is declared; its doc comment is there.
	Struct, Field string
}

// Of is the tree of a struct type.
func Of(t reflect.Type) *Key {
	root := &Key{Kind: Table, Go: t}
	root.fields(t, nil, func(reflect.StructField) bool { return true })
	return root
}

// Find is the key of that name in a table, or nil.
func (k *Key) Find(name string) *Key {
	for _, sub := range k.Keys {
		if sub.Name == name {
			return sub
		}
	}
	return nil
}

// ShortKey is the key that may be written in place of the table, or nil.
func (k *Key) ShortKey() *Key {
	for _, sub := range k.Keys {
		if sub.Short {
			return sub
		}
	}
	return nil
}

// TypeName is the type as people call it.
func (k *Key) TypeName() string {
	switch k.Kind {
	case Map:
		if k.Every.Kind == Any {
			return "table"
		}
		return "table of " + plural(k.Every)
	case List:
		return "array of " + plural(k.Every)
	case Text:
		name, _ := k.Form()
		return name
	case Any:
		if k.Number {
			return "number"
		}
		return "any"
	}
	return [...]string{Table: "table", String: "string", Integer: "integer", Float: "float", Boolean: "boolean"}[k.Kind]
}

func plural(k *Key) string {
	if k.Kind == Any {
		return "values"
	}
	return k.TypeName() + "s"
}

// Form is the name and the regular expression of a Text.
func (k *Key) Form() (name, pattern string) {
	return reflect.Zero(k.Go).Interface().(interface {
		Format() (name, pattern string)
	}).Format()
}

// fields adds the keys of a struct type's fields.
func (k *Key) fields(t reflect.Type, index []int, wanted func(reflect.StructField) bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("key")
		at := append(append([]int(nil), index...), i)
		switch {
		case !ok || !wanted(f):
		case tag == ",all":
			k.fields(f.Type, at, wanted)
		case tag == ",operational":
			k.fields(f.Type, at, func(f reflect.StructField) bool { return f.Tag.Get("for") != "author" })
		default:
			table := k
			path := strings.Split(tag, ".")
			for _, name := range path[:len(path)-1] {
				table = table.group(name)
			}
			sub := ofType(f.Type)
			sub.Name, sub.Index = path[len(path)-1], at
			sub.Struct, sub.Field = t.Name(), f.Name
			sub.tags(f.Tag)
			table.Keys = append(table.Keys, sub)
		}
	}
}

// group is the table without a type of that name.
func (k *Key) group(name string) *Key {
	if sub := k.Find(name); sub != nil {
		return sub
	}
	sub := &Key{Name: name, Kind: Table}
	k.Keys = append(k.Keys, sub)
	return sub
}

func (k *Key) tags(tag reflect.StructTag) {
	k.Default, k.Min, k.Max, k.Example = tag.Get("default"), tag.Get("min"), tag.Get("max"), tag.Get("example")
	if enum := tag.Get("enum"); enum != "" {
		of := k
		if k.Every != nil {
			of = k.Every
		}
		of.Enum = strings.Split(enum, ",")
	}
	k.Required = tag.Get("required") == "true"
	k.Short = tag.Get("short") == "true"
	k.Number = tag.Get("number") == "true"
	k.Platforms = tag.Get("platforms") == "true"
}

func ofType(t reflect.Type) *Key {
	k := &Key{Go: t}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		k.Kind = Text
		return k
	}
	switch t.Kind() {
	case reflect.Struct:
		k.Kind = Table
		k.fields(t, nil, func(reflect.StructField) bool { return true })
	case reflect.Map:
		k.Kind, k.Every = Map, ofType(t.Elem())
	case reflect.Slice:
		k.Kind, k.Every = List, ofType(t.Elem())
	case reflect.String:
		k.Kind = String
	case reflect.Int, reflect.Int64:
		k.Kind = Integer
	case reflect.Float64:
		k.Kind = Float
	case reflect.Bool:
		k.Kind = Boolean
	default:
		k.Kind = Any
	}
	return k
}
