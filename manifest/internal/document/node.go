// Package document reads TOML into a tree in which everything knows its place in the file. It builds on the parser of
// go-toml, whose decoder stops at the first mistake and forgets positions.
package document

import "strconv"

// Kind is the type of a value as it stands in the file.
type Kind int

const (
	Table Kind = iota
	Array
	String
	Integer
	Float
	Boolean
	Time // dates and times in all their forms; nothing of ours takes one
)

// Pos is a place in a file, line and column from 1, the column in characters.
type Pos struct{ Line, Column int }

// Node is a value.
type Node struct {
	Kind Kind
	Pos  Pos // of the value; for a table with a header or without, of its key
	Key  Pos // of the key it was given by

	Text    string // of a String its content, of a Time its source
	Integer int64
	Float   float64
	Boolean bool

	Items []*Node          // of an Array
	Names []string         // of a Table, in the order of the file
	Keys  map[string]*Node // of a Table

	made made
}

// Value is the node as string, int64, float64, bool, []any or map[string]any; a Time is its source text.
func (n *Node) Value() any {
	switch n.Kind {
	case Integer:
		return n.Integer
	case Float:
		return n.Float
	case Boolean:
		return n.Boolean
	case Array:
		items := make([]any, len(n.Items))
		for i, item := range n.Items {
			items[i] = item.Value()
		}
		return items
	case Table:
		keys := make(map[string]any, len(n.Names))
		for name, key := range n.Keys {
			keys[name] = key.Value()
		}
		return keys
	default:
		return n.Text
	}
}

// Join appends name to a dotted key, in quotes where TOML asks for them.
func Join(key, name string) string {
	bare := name != ""
	for _, c := range []byte(name) {
		bare = bare && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-')
	}
	if !bare {
		name = strconv.Quote(name)
	}
	if key == "" {
		return name
	}
	return key + "." + name
}
