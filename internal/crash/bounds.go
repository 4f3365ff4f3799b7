package crash

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ixtrun/ixt/internal/logs"
)

// What of a report is kept at most. Much of it comes from the module, so nothing of it may be without a bound.
const (
	maxLines     = 100
	maxLineBytes = 256 << 10 // of messages and fields together
	maxCalls     = 100
	maxPanic     = 8 << 10
	maxDump      = 64 << 10
	maxSentence  = 4 << 10
	maxName      = 256
	maxFrameHead = 256 // of the frame; escaped it may become four times as long
)

// bounded is the report cut to what one may take. The caller's slices stay as they are.
func (r Report) bounded() Report {
	r.InFlight = len(r.Calls)
	r.Panic, r.Dump = middleOut(r.Panic, maxPanic), middleOut(r.Dump, maxDump)
	for _, s := range []*string{&r.Why, &r.Decision, &r.Cause.Text, &r.Cause.FrameHead} {
		*s = cut(*s, maxSentence)
	}
	for _, s := range []*string{&r.Version, &r.SDK, &r.Cause.Signal} {
		*s = cut(*s, maxName)
	}
	r.Calls = oldest(r.Calls)
	r.Lines = newest(r.Lines)
	return r
}

// oldest are the calls that are kept: those that have been open longest say most.
func oldest(calls []Call) []Call {
	kept := append([]Call{}, calls...) // never nil: no calls are [] in JSON
	slices.SortStableFunc(kept, func(a, b Call) int { return cmp.Compare(b.AgeMS, a.AgeMS) })
	kept = kept[:min(len(kept), maxCalls)]
	for i := range kept {
		c := &kept[i]
		for _, s := range []*string{&c.Topic, &c.CallID, &c.TraceID, &c.PayloadSHA256} {
			*s = cut(*s, maxName)
		}
	}
	return kept
}

// newest are the log lines that are kept.
func newest(lines []logs.Entry) []logs.Entry {
	first, bytes := len(lines), 0
	for first > 0 && len(lines)-first < maxLines {
		e := lines[first-1]
		bytes += len(e.Message)
		for name, value := range e.Fields {
			bytes += len(name) + len(value)
		}
		if bytes > maxLineBytes {
			break
		}
		first--
	}
	return append([]logs.Entry{}, lines[first:]...)
}

// cut shortens text to n bytes, of which the last ones then say so.
func cut(text string, n int) string {
	const more = "…"
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n-len(more)], "") + more // not half a character
}

// middleOut shortens text of many lines to n bytes: what a program says of its end, it says first or last.
func middleOut(text string, n int) string {
	const gap = "\n...\n"
	if len(text) <= n {
		return text
	}
	half := (n - len(gap)) / 2
	head, tail := text[:half], text[len(text)-half:]
	if end := strings.LastIndexByte(head, '\n'); end > 0 {
		head = head[:end]
	}
	if start := strings.IndexByte(tail, '\n'); start >= 0 && start < len(tail)-1 {
		tail = tail[start+1:]
	}
	return strings.ToValidUTF8(head, "") + gap + strings.ToValidUTF8(tail, "")
}
