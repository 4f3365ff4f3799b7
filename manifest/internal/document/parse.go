package document

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Fault is a place where a file is not TOML.
type Fault struct {
	Pos
	Key, Message, Remedy string
}

// Parse reads src. The tree is whole when only keys are given twice, of which it has the first; else, after a syntax error,
// it holds what came before.
func Parse(src []byte) (tree *Node, faults []Fault, whole bool) {
	b := &builder{src: src, lines: []int{0}}
	for i, c := range src {
		if c == '\n' {
			b.lines = append(b.lines, i+1)
		}
	}
	root := &Node{Kind: Table, Pos: Pos{1, 1}, Key: Pos{1, 1}, Keys: map[string]*Node{}, made: byHeader}
	if bad := firstInvalid(src); bad >= 0 {
		b.fault(b.at(bad), "", fmt.Sprintf("byte 0x%02x is not UTF-8", src[bad]), "save the file as UTF-8")
		return root, b.faults, false
	}
	b.parser.Reset(src)
	section, name := root, ""
	for b.parser.NextExpression() {
		switch e := b.parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			section, name = b.header(root, b.path(e.Key()), e.Kind == unstable.ArrayTable)
		case unstable.KeyValue:
			b.keyValue(section, name, e)
		}
	}
	whole = b.syntax(src)
	return root, b.faults, whole
}

// syntax reports where the parser stopped. What the parser lets pass and the tree did not notice, the decoder finds.
func (b *builder) syntax(src []byte) (whole bool) {
	var at *unstable.ParserError
	if err := b.parser.Error(); errors.As(err, &at) {
		offset := len(src)
		if h := at.Highlight; len(h) > 0 {
			offset = cap(src) - cap(h)
		}
		b.fault(b.at(offset), "", at.Message, remedy(at.Message))
		return false
	}
	if len(b.faults) > 0 {
		return !b.unreadable
	}
	var any map[string]any
	var decode *toml.DecodeError
	switch err := toml.Unmarshal(src, &any); {
	case errors.As(err, &decode):
		line, column := decode.Position()
		message := strings.TrimPrefix(decode.Error(), "toml: ")
		b.fault(Pos{line, column}, strings.Join(decode.Key(), "."), message, remedy(message))
	case err != nil:
		b.fault(Pos{1, 1}, "", strings.TrimPrefix(err.Error(), "toml: "), "")
	default:
		return true
	}
	return false
}

// remedy is the usual cure for a syntax error.
func remedy(message string) string {
	for _, known := range []struct{ part, cure string }{
		{"at start of value", `text needs quotes: key = "value"`},
		{"must be quoted", `text needs quotes: key = "value"`},
		{"expected keyword", `text needs quotes: key = "value"; the booleans are true and false`},
		{"expected '='", "write key = value"},
		{"start of key", `a key is made of letters, digits, _ and -; other keys need quotes`},
		{"cannot have new lines", `close the string with " on the same line, or use """ for several lines`},
		{"not terminated", "close the string"},
		{"unterminated", "close the string"},
		{"expected newline", "put each key = value on a line of its own"},
		{"close table name", "write [name] on a line of its own"},
		{"close array table name", "write [[name]] on a line of its own"},
		{"array is incomplete", "close the array with ]"},
		{"after array value", "put , between values and ] at the end"},
		{"inline table is incomplete", "close the table with }"},
		{"after inline table", "put , between keys and } at the end"},
		{"leading zero", "remove the zeroes, or put the number in quotes"},
		{"underscores", "write digits on both sides of each _"},
		{"date", "put dates and times in quotes"},
		{"time", "put dates and times in quotes"},
		{"escape", `write \\ for a backslash, or use '...' for text without escapes`},
	} {
		if strings.Contains(message, known.part) {
			return known.cure
		}
	}
	return ""
}

type builder struct {
	parser unstable.Parser
	src    []byte
	lines  []int // offset at which each line starts
	faults []Fault

	unreadable bool // whether a number was none
}

func (b *builder) fault(at Pos, key, message, remedy string) {
	b.faults = append(b.faults, Fault{at, key, message, remedy})
}

// at is the place of an offset.
func (b *builder) at(offset int) Pos {
	line := sort.SearchInts(b.lines, offset+1) - 1
	return Pos{line + 1, utf8.RuneCount(b.src[b.lines[line]:offset]) + 1}
}

// step is one part of a dotted key.
type step struct {
	name string
	at   Pos
	end  int // offset behind it
}

func (b *builder) path(keys unstable.Iterator) []step {
	var steps []step
	for keys.Next() {
		k := keys.Node()
		steps = append(steps, step{string(k.Data), b.at(int(k.Raw.Offset)), int(k.Raw.Offset + k.Raw.Length)})
	}
	return steps
}

// keyValue adds an expression to a table, whose name is for messages.
func (b *builder) keyValue(table *Node, name string, e *unstable.Node) {
	path := b.path(e.Key())
	last, full := path[len(path)-1], name
	for _, s := range path {
		full = Join(full, s.name)
	}
	// An array does not say where it starts; it does so behind the equals sign.
	start := last.end
	for start < len(b.src) && bytes.IndexByte([]byte(" \t="), b.src[start]) >= 0 {
		start++
	}
	b.put(table, name, path, b.value(e.Value(), b.at(start), full))
}

// value turns a parsed value into a node; fallback is where it is when it does not say so itself.
func (b *builder) value(v *unstable.Node, fallback Pos, name string) *Node {
	n := &Node{Pos: fallback, made: asValue}
	if v.Raw.Length > 0 {
		n.Pos = b.at(int(v.Raw.Offset))
	}
	n.Key = n.Pos
	n.Text = string(v.Data)
	number := strings.ReplaceAll(n.Text, "_", "")
	var err error
	switch v.Kind {
	case unstable.String:
		n.Kind = String
	case unstable.Bool:
		n.Kind, n.Boolean = Boolean, n.Text == "true"
	case unstable.Integer:
		n.Kind = Integer
		if n.Integer, err = strconv.ParseInt(number, 0, 64); err != nil {
			b.unreadable = true
			b.fault(n.Pos, "", n.Text+" is no integer of 64 bits", "write a number from -9223372036854775808 to 9223372036854775807, without leading zeros")
		}
	case unstable.Float:
		n.Kind = Float
		if n.Float, err = strconv.ParseFloat(number, 64); err != nil {
			b.unreadable = true
			b.fault(n.Pos, "", n.Text+" is no float of 64 bits", "")
		}
	case unstable.Array:
		n.Kind = Array
		for items := v.Children(); items.Next(); {
			n.Items = append(n.Items, b.value(items.Node(), n.Pos, name))
		}
	case unstable.InlineTable:
		n.Kind, n.Keys = Table, map[string]*Node{}
		for keys := v.Children(); keys.Next(); {
			b.keyValue(n, name, keys.Node())
		}
	default:
		n.Kind = Time
	}
	return n
}

func firstInvalid(src []byte) int {
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
