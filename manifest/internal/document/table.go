package document

import "fmt"

// made says what brought a node about, which decides what may still be added to it.
type made int

const (
	asValue    made = iota // key = value; nothing may be added
	byHeader               // [table]: opened once
	onTheWay               // the a of [a.b]: may still be opened
	byDots                 // the a of a.b = 1: takes more dotted keys, and tables below it
	arrayTable             // [[table]]: takes more of its kind
)

// put adds a value under a dotted key to the table of that name.
func (b *builder) put(table *Node, key string, path []step, value *Node) {
	last := path[len(path)-1]
	for _, s := range path[:len(path)-1] {
		key = Join(key, s.name)
		next := table.Keys[s.name]
		if next == nil {
			next = table.add(s, &Node{Kind: Table, Pos: s.at, Keys: map[string]*Node{}, made: byDots})
		}
		if next.made != byDots {
			b.twice(s, key, next, "has been given already")
			return
		}
		table = next
	}
	if before := table.Keys[last.name]; before != nil {
		b.twice(last, Join(key, last.name), before, "is given twice")
		return
	}
	table.add(last, value)
}

// header opens the table of a [header] and returns it with its name; after a fault, one that is not part of the tree.
func (b *builder) header(root *Node, path []step, array bool) (opened *Node, key string) {
	lost := &Node{Kind: Table, Keys: map[string]*Node{}, made: byHeader}
	table, last := root, path[len(path)-1]
	for _, s := range path[:len(path)-1] {
		key = Join(key, s.name)
		next := table.Keys[s.name]
		switch {
		case next == nil:
			next = table.add(s, &Node{Kind: Table, Pos: s.at, Keys: map[string]*Node{}, made: onTheWay})
		case next.made == arrayTable:
			next = next.Items[len(next.Items)-1]
		case next.made == asValue:
			b.twice(s, key, next, "has been given as a value already")
			return lost, key
		}
		table = next
	}
	key = Join(key, last.name)
	before := table.Keys[last.name]
	fresh := &Node{Kind: Table, Pos: last.at, Key: last.at, Keys: map[string]*Node{}, made: byHeader}
	switch {
	case before == nil && array:
		table.add(last, &Node{Kind: Array, Pos: last.at, Items: []*Node{fresh}, made: arrayTable})
		return fresh, key
	case before == nil:
		return table.add(last, fresh), key
	case array && before.made == arrayTable:
		before.Items = append(before.Items, fresh)
		return fresh, key
	case !array && before.made == onTheWay:
		before.made, before.Pos, before.Key = byHeader, last.at, last.at
		return before, key
	}
	b.twice(last, key, before, "is given twice")
	return lost, key
}

func (b *builder) twice(s step, key string, before *Node, how string) {
	b.fault(s.at, key, fmt.Sprintf("%s; the first time is in line %d", how, before.Key.Line), "keep one of them")
}

func (n *Node) add(s step, child *Node) *Node {
	child.Key = s.at
	n.Names = append(n.Names, s.name)
	n.Keys[s.name] = child
	return child
}
