package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// healthPolicy judges how an instance is: a function of what it was told, without a clock.
type healthPolicy struct {
	rules    manifest.Health
	failures int // in a row
}

// sighting is what one look at an instance showed: its answer to health_check, or why there is none, and its open calls.
type sighting struct {
	answer  *ipc.Health
	err     error
	open    int           // calls it works on
	overdue time.Duration // how long the latest of them is past its deadline
}

// judgement is what a sighting means.
type judgement struct {
	routed bool // takes calls
	sick   bool // must be restarted
	why    string
}

// next judges. No answer from an instance that works on calls within their deadlines proves nothing: it is busy, not hung
// (docs/protocol.md, "Health").
func (h *healthPolicy) next(s sighting) judgement {
	switch {
	case s.err != nil && s.open > 0 && s.overdue <= h.rules.Timeout.Std():
		return judgement{routed: true, why: "no answer to the health check, but calls within their deadlines are open"}
	case s.err != nil:
		return h.fail(fmt.Sprintf("health check failed: %v", s.err))
	case !s.answer.Healthy:
		return h.fail("unhealthy" + because(s.answer.Reason))
	}
	h.failures = 0
	return judgement{routed: s.answer.Ready, why: s.answer.Reason}
}

func (h *healthPolicy) fail(why string) judgement {
	h.failures++
	return judgement{true, h.failures >= h.rules.Failures, fmt.Sprintf("%s (%d of %d)", why, h.failures, h.rules.Failures)}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// healthWatch asks one process how it is, at most one question at a time.
type healthWatch struct {
	policy  healthPolicy
	ticker  *time.Ticker // nil: never asks
	asking  bool
	answers chan sighting
	cancel  context.CancelFunc
}

func newHealthWatch(rules manifest.Health, off bool) *healthWatch {
	w := &healthWatch{policy: healthPolicy{rules: rules}, answers: make(chan sighting, 1), cancel: func() {}}
	if !off && rules.Interval > 0 {
		w.ticker = time.NewTicker(rules.Interval.Std())
	}
	return w
}

func (w *healthWatch) due() <-chan time.Time {
	if w.ticker == nil || w.asking {
		return nil
	}
	return w.ticker.C
}

// stop ends the watch and waits for an open question.
func (w *healthWatch) stop() {
	if w.ticker != nil {
		w.ticker.Stop()
	}
	w.cancel()
	if w.asking {
		<-w.answers
	}
}

// errOverdue stands for the answer of a serial module that cannot be asked because it is stuck in a call.
var errOverdue = errors.New("a call is past its deadline and not answered")

// checkHealth asks. A serial module is asked only between calls: while one is open its health clock stands still, unless
// that call is past its deadline.
func (in *instance) checkHealth(life context.Context, p *incarnation, w *healthWatch) {
	done := func() {}
	if p.provider.serial {
		if !in.s.router.reserve(p.provider) {
			open, overdue := in.s.router.load(p.provider, time.Now())
			w.asking = true
			w.answers <- sighting{err: errOverdue, open: open, overdue: overdue}
			return
		}
		done = func() { in.s.router.unreserve(p.provider) }
	}
	ctx, cancel := context.WithTimeout(life, w.policy.rules.Timeout.Std())
	w.asking, w.cancel = true, cancel
	go func() {
		health, err := p.talk.Health(ctx)
		done()
		open, overdue := in.s.router.load(p.provider, time.Now())
		w.answers <- sighting{health, err, open, overdue}
	}()
}

// judge draws the consequences of a sighting; true means that the process must be restarted, for the reason given.
func (in *instance) judge(p *incarnation, w *healthWatch, s sighting) (string, bool) {
	w.asking = false
	w.cancel()
	if isDone(p.talk.Done()) {
		return "", false // the connection's end says more
	}
	before := w.policy.failures
	j := w.policy.next(s)
	now := in.snapshot()
	switch {
	case j.sick:
		return j.why, true
	case w.policy.failures > before:
		in.s.journal.add(Entry{Kind: KindWarning, Module: in.id.Name, Instance: in.id.Instance, Text: j.why})
	case s.err != nil: // busy
	case !j.routed && (now.State == Ready || now.Why != j.why):
		in.s.router.detach(p.provider)
		in.enter(Unready, j.why)
	case j.routed && now.State == Unready:
		in.s.router.attach(p.provider)
		in.enter(Ready, "")
	}
	return "", false
}
