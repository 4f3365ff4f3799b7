package logs

import (
	"regexp"
	"strings"
)

var (
	goCrash     = regexp.MustCompile(`^(panic|fatal error): `)
	goStack     = regexp.MustCompile(`^goroutine \d+ .*\[.*\]:$`)
	pythonTrace = regexp.MustCompile(`^\s*(Traceback \(most recent call last\):|(\+ )?Exception Group Traceback)`)
	pythonError = regexp.MustCompile(`^[A-Za-z_][\w.]*(Error|Exception|Interrupt)(: .*)?$`)
)

// classifier tells the plain lines of one stderr by level, from what came before.
type classifier struct {
	current string // level of the last line
	crashed bool   // a Go program reports its panic; nothing else follows
	trace   bool   // inside a Python traceback, whose lines are indented until the one that names the error
}

// level returns the level of the next line or, if it goes on, of the next piece of the same line.
func (c *classifier) level(line string, goesOn bool) string {
	if goesOn {
		return c.current
	}
	traced := c.trace
	switch {
	case goCrash.MatchString(line):
		c.crashed = true
	case pythonTrace.MatchString(line):
		c.trace = true
	case !strings.HasPrefix(line, " "):
		c.trace = false
	}
	c.current = LevelInfo
	if c.crashed || c.trace || traced || goStack.MatchString(line) || pythonError.MatchString(line) {
		c.current = LevelError
	}
	return c.current
}
