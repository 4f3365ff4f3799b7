package supervisor

import (
	"context"
	"fmt"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// healthPolicy judges health answers: a function of what it was told, without a clock.
type healthPolicy struct {
	rules    manifest.Health
	failures int // in a row
}

// verdict is what a health answer means.
type verdict struct {
	routed bool // takes calls
	sick   bool // must be restarted
	why    string
}

func (h *healthPolicy) next(answer *ipc.Health, err error) verdict {
	switch {
	case err != nil:
		h.failures++
		return verdict{true, h.failures >= h.rules.Failures, fmt.Sprintf("health check failed %d times in a row: %v", h.failures, err)}
	case !answer.Healthy:
		h.failures++
		return verdict{true, h.failures >= h.rules.Failures, fmt.Sprintf("unhealthy %d times in a row%s", h.failures, because(answer.Reason))}
	}
	h.failures = 0
	return verdict{routed: answer.Ready, why: answer.Reason}
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
	answers chan healthAnswer
	cancel  context.CancelFunc
}

type healthAnswer struct {
	health *ipc.Health
	err    error
}

func newHealthWatch(rules manifest.Health, off bool) *healthWatch {
	w := &healthWatch{policy: healthPolicy{rules: rules}, answers: make(chan healthAnswer, 1), cancel: func() {}}
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

// checkHealth asks. A serial module is asked only between calls: while one is open its health clock stands still.
func (in *instance) checkHealth(life context.Context, p *incarnation, w *healthWatch) {
	done := func() {}
	if p.provider.serial {
		if !in.s.router.reserve(p.provider) {
			return
		}
		done = func() { in.s.router.unreserve(p.provider) }
	}
	ctx, cancel := context.WithTimeout(life, w.policy.rules.Timeout.Std())
	w.asking, w.cancel = true, cancel
	go func() {
		health, err := p.talk.Health(ctx)
		done()
		w.answers <- healthAnswer{health, err}
	}()
}

// judge draws the consequences of an answer; true means that the process must be restarted, for the reason given.
func (in *instance) judge(p *incarnation, w *healthWatch, a healthAnswer) (string, bool) {
	w.asking = false
	w.cancel()
	if isDone(p.talk.Done()) {
		return "", false // the connection's end says more
	}
	v := w.policy.next(a.health, a.err)
	state := in.snapshot().State
	switch {
	case v.sick:
		return v.why, true
	case w.policy.failures > 0:
		in.s.journal.add(Entry{Kind: KindWarning, Module: in.id.Name, Instance: in.id.Instance, Text: v.why})
	case !v.routed && state == Ready:
		in.s.router.detach(p.provider)
		in.enter(Unready, v.why)
	case v.routed && state == Unready:
		in.s.router.attach(p.provider)
		in.enter(Ready, "")
	}
	return "", false
}
