package supervisor

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/ixtrun/ixt/ipc"
)

// counts are a topic's totals since the start. The router's lock guards them.
type counts struct {
	done    uint64             // answered with a result
	failed  map[failure]uint64 // the others
	own     int                // how many codes of modules are among them
	retried uint64             // sent again, to another instance
	late    uint64             // answered when nobody waited any more

	whole, queue, handling Histogram
}

// failure is how a call failed.
type failure struct {
	outcome ipc.Outcome
	code    string
}

func newCounts() counts { return counts{failed: map[failure]uint64{}} }

// end counts a call that has ended. p is nil if nobody had it, e if it succeeded.
func (c *counts) end(f *flight, p *provider, e *ipc.Error) {
	if f.ended != never {
		c.whole.observe(f.ended)
		c.attempt(f, e)
	}
	if e == nil {
		c.done++
		return
	}
	c.fail(e.Outcome, e.Code)
	if p != nil && e.Outcome == ipc.Unknown && (e.Code == ipc.CodeTimeout || e.Code == ipc.CodeCancelled) {
		f.gaveUp = true
		if f.answered { // in the same moment
			c.late++
		}
	}
}

// remote counts a call that another supervisor has ended.
func (c *counts) remote(f *flight, e *ipc.Error) {
	c.whole.observe(f.ended)
	if e == nil {
		c.done++
		return
	}
	c.fail(e.Outcome, e.Code)
}

// attempt takes down how long the latest attempt waited for an instance and how long that had it. What was refused at once did
// not wait.
func (c *counts) attempt(f *flight, e *ipc.Error) {
	switch {
	case f.granted != never:
		c.queue.observe(f.granted - f.asked)
		c.handling.observe(f.ended - f.granted)
	case e.Code != ipc.CodeBusy && e.Code != ipc.CodeLoop:
		c.queue.observe(f.ended - f.asked)
	}
}

// answered takes down that the module owes nothing more for a delivery.
func (c *counts) answered(d *delivery) {
	if d.answered.IsZero() {
		return
	}
	d.flight.answered = true
	if d.gaveUp {
		c.late++
	}
}

const (
	ownCodes   = 32      // so many different codes of modules' own errors are told apart for a topic
	ownCodeLen = 64      // and each is at most so long
	otherCode  = "other" // stands for the rest
)

func (c *counts) fail(outcome ipc.Outcome, code string) {
	key := failure{outcome, code}
	if _, seen := c.failed[key]; !seen && outcome == ipc.Done {
		if c.own == ownCodes || code == "" || len(code) > ownCodeLen || !utf8.ValidString(code) {
			key.code = otherCode
		} else {
			c.own++
		}
	}
	c.failed[key]++
}

// Failures is how many calls failed in one way.
type Failures struct {
	Outcome ipc.Outcome `json:"outcome"` // ipc.Done: a module answered with an error
	// Code is the error's; "other" for modules' own beyond the first 32 different ones of a topic, and for those over 64 bytes.
	Code  string `json:"code"`
	Calls uint64 `json:"calls"`
}

// failures are the calls that failed, by outcome and code.
func (c *counts) failures() []Failures {
	out := make([]Failures, 0, len(c.failed))
	for f, n := range c.failed {
		out = append(out, Failures{f.outcome, f.code, n})
	}
	slices.SortFunc(out, func(a, b Failures) int { return cmp.Or(cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Code, b.Code)) })
	return out
}
