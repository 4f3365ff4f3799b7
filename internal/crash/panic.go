package crash

import (
	"regexp"
	"slices"
	"strings"

	"github.com/ixtrun/ixt/internal/logs"
)

// How programs begin to say that they come to an end.
var (
	// after these nothing follows but the end
	goEnd     = regexp.MustCompile(`^(panic|fatal error|SIG(ABRT|BUS|FPE|ILL|QUIT|SEGV|SYS|TRAP)): `)
	pythonEnd = regexp.MustCompile(`^Fatal Python error: `)
	nodeEnd   = regexp.MustCompile(`^FATAL ERROR: `)
	rustEnd   = regexp.MustCompile(`^fatal runtime error: `)
	cppEnd    = regexp.MustCompile(`^terminate called |: Assertion .* failed\.$`)

	// after these a program may also live on
	pythonTrace = regexp.MustCompile(`^\s*(Traceback|\+ Exception Group Traceback) \(most recent call last\):$`)
	rustPanic   = regexp.MustCompile(`^thread '.*'( \(\d+\))? panicked at `)

	// an uncaught exception of Node begins with its place; the line of code there is marked
	nodePlace = regexp.MustCompile(`^\S.*:\d+$`)
	nodeMark  = regexp.MustCompile(`^\s*\^+$`)

	// what may stand right before any of them and belongs to it
	leadIn = regexp.MustCompile(`^(runtime: |thread '.*'( \(\d+\))? has overflowed its stack$|Exception in thread )`)
	// what stands between two tracebacks of one end
	chained = regexp.MustCompile(`^(The above exception was the direct cause of|During handling of the above exception)`)

	goroutine = regexp.MustCompile(`^goroutine \d+ .*\[.*\]:$`)
)

// epilogue is how many lines may follow an exception that need not be the end: those of its message, and farewells. More of
// them, and the program has lived on.
const epilogue = 12

// PanicText is what a program said of its own end on stderr, at most 8 KiB: the panic or fatal error of a Go program with the
// stack of the goroutine that had it, a Python traceback, an uncaught exception of Node, a Rust panic, what a C++ program says
// when it terminates. It is "" if the lines, oldest first, hold nothing of the kind; an exception that the program has
// outlived is not taken for its end.
func PanicText(lines []logs.Entry) string {
	said := slices.DeleteFunc(slices.Clone(lines), func(e logs.Entry) bool { return e.Stream != logs.Stderr })
	for i := len(said) - 1; i >= 0; i-- {
		final, perhaps := begins(said[i:])
		if final || perhaps && unindented(said[i:]) <= epilogue {
			return text(firstStack(said[whole(said, i):]))
		}
	}
	return ""
}

// begins reports whether the end of a program, or what may be the end, begins with the first of the lines.
func begins(lines []logs.Entry) (final, perhaps bool) {
	first := plain(lines[0])
	for _, end := range []*regexp.Regexp{goEnd, pythonEnd, nodeEnd, rustEnd, cppEnd} {
		final = final || end.MatchString(first)
	}
	marked := slices.ContainsFunc(lines[1:min(3, len(lines))], func(e logs.Entry) bool { return nodeMark.MatchString(plain(e)) })
	final = final || marked && nodePlace.MatchString(first)
	return final, pythonTrace.MatchString(first) || rustPanic.MatchString(first)
}

// whole goes back from where an end begins to what belongs to it and was said before.
func whole(said []logs.Entry, i int) int {
	for i > 0 {
		before := i - 1
		switch line := plain(said[before]); {
		case leadIn.MatchString(line):
		case chained.MatchString(line):
			for before >= 0 && !pythonTrace.MatchString(plain(said[before])) {
				before--
			}
			if before < 0 {
				return i // its beginning is lost
			}
		default:
			return i
		}
		i = before
	}
	return i
}

// firstStack leaves out the goroutines after the first, which is the one that had the panic.
func firstStack(lines []logs.Entry) []logs.Entry {
	stacks := 0
	for i, e := range lines {
		if goroutine.MatchString(plain(e)) {
			if stacks++; stacks == 2 {
				return lines[:i]
			}
		}
	}
	return lines
}

func unindented(lines []logs.Entry) (n int) {
	for _, e := range lines {
		if !strings.HasPrefix(e.Message, " ") {
			n++
		}
	}
	return n
}

// plain is the text of a line that no logger wrote.
func plain(e logs.Entry) string {
	if e.Fields != nil {
		return ""
	}
	return e.Message
}

func text(lines []logs.Entry) string {
	var out []string
	for _, e := range lines {
		if line := plain(e); line != "" {
			out = append(out, line)
		}
	}
	return middleOut(strings.Join(out, "\n"), maxPanic)
}
