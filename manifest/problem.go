package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in one place, with what to do about it.
type Problem struct {
	File         string // the file as the caller named it, or "--set module:key=value"
	Line, Column int    // both from 1, the column in characters; 0 where no place in the file is to blame
	Key          string // the full key, such as config.port; empty where none is to blame
	Message      string // what is wrong
	Remedy       string // what to write or do instead

	cause error
}

// Unwrap is the error of the operating system, where there is one.
func (p Problem) Unwrap() error { return p.cause }

// Error is one line: file:line:column: key: message; remedy.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	for _, part := range []string{p.Key, p.Message} {
		if part != "" {
			if b.Len() > 0 {
				b.WriteString(": ")
			}
			b.WriteString(part)
		}
	}
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Problems is everything that is wrong; as an error it is sorted by file, line and column, and has one line for each.
type Problems []Problem

// Error is the problems' lines.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes each problem reachable for errors.As.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// Gather adds what err says is wrong, so that the search for more can go on; an err that is no Problems is returned.
func (ps *Problems) Gather(err error) error {
	var more Problems
	if !errors.As(err, &more) {
		return err
	}
	*ps = append(*ps, more...)
	return nil
}

// Err is the problems as an error, sorted and each once, or nil without any.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	seen := map[string]bool{}
	sorted := slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool {
		text := p.Error()
		defer func() { seen[text] = true }()
		return seen[text]
	})
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return sorted
}
