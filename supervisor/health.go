package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ixtrun/ixt/internal/process"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// healthPolicy tells hung from busy from sick: a function of what it was told, without a clock.
type healthPolicy struct {
	rules    manifest.Health
	failures int // in a row
	passed   int // looks in a row that were not held against the instance
}

// sighting is what one look at an instance showed: its answer to health_check, or why there is none, and its open calls.
type sighting struct {
	answer  *ipc.Health
	err     error
	open    int           // calls it works on
	overdue time.Duration // how long the latest of them is past its deadline
	stalled time.Duration // how long it has not read what is written to it
	traced  bool          // a debugger holds it
	starved time.Duration // how long the host gave us no processor, of the time in which it might have answered
	strain  float64       // share of the last seconds in which the host kept processes waiting
}

// judgement is what a sighting means.
type judgement struct {
	routed bool // takes calls
	sick   bool // must be restarted
	hung   bool // and it would not hear a request to finish
	why    string
}

const (
	// passes: of so many failures in a row that the host's state excuses, one counts, so that whoever starves the host
	// himself is found out, and a host that is always busy has a watchdog too.
	passes = 3
	// maxStrain is the pressure from which on a missing answer proves nothing.
	maxStrain = 0.8
)

// next judges (docs/protocol.md, "Health"). No answer from an instance that works on calls within their deadlines proves
// nothing: it is busy, not hung. It must read all the same.
func (h *healthPolicy) next(s sighting) judgement {
	patience := h.rules.Timeout.Std()
	tooLate := h.rules.Overdue > 0 && s.overdue > h.rules.Overdue.Std()
	if s.err == nil && !tooLate {
		return h.answered(s.answer)
	}
	excuse := h.excuse(s)
	switch {
	case excuse != "":
		return judgement{routed: true, why: "not held against it: " + excuse}
	case tooLate:
		return judgement{routed: true, sick: true, hung: true, why: fmt.Sprintf("a call is %s past its deadline and not answered", seconds(s.overdue))}
	case s.open > 0 && s.overdue <= patience && s.stalled <= patience:
		return judgement{routed: true, why: "no answer to the health check, but calls within their deadlines are open"}
	}
	j := h.fail(fmt.Sprintf("health check failed: %v", s.err))
	if s.stalled > patience {
		j.why += fmt.Sprintf("; it has not read its connection for %s", seconds(s.stalled))
	}
	j.hung = true
	return j
}

// answered judges by what the instance says of itself.
func (h *healthPolicy) answered(a *ipc.Health) judgement {
	h.passed = 0
	if !a.Healthy {
		return h.fail("unhealthy" + because(a.Reason))
	}
	h.failures = 0
	return judgement{routed: a.Ready, why: a.Reason}
}

// excuse is why silence means nothing this time; "" if it does.
func (h *healthPolicy) excuse(s sighting) (why string) {
	switch {
	case s.traced:
		return "a debugger holds the process"
	case s.starved > h.rules.Timeout.Std()/4:
		why = fmt.Sprintf("the host gave nobody a processor for %s", seconds(s.starved))
	case s.strain > maxStrain:
		why = fmt.Sprintf("the host kept processes waiting for %.0f %% of the time", 100*s.strain)
	default:
		return ""
	}
	if h.passed++; h.passed%passes == 0 {
		return ""
	}
	return why
}

func (h *healthPolicy) fail(why string) judgement {
	h.failures++
	return judgement{routed: true, sick: h.failures >= h.rules.Failures, why: fmt.Sprintf("%s (%d of %d)", why, h.failures, h.rules.Failures)}
}

// seconds is a duration as people take it in.
func seconds(d time.Duration) string {
	unit := 100 * time.Millisecond
	if d < time.Second {
		unit = time.Millisecond
	}
	return manifest.Duration(d.Round(unit)).String()
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
	timer   *time.Timer // nil: never asks
	asking  bool
	answers chan sighting
	cancel  context.CancelFunc
}

func newHealthWatch(rules manifest.Health, off bool) *healthWatch {
	w := &healthWatch{policy: healthPolicy{rules: rules}, answers: make(chan sighting, 1), cancel: func() {}}
	if !off && rules.Interval > 0 {
		w.timer = time.NewTimer(w.pause())
	}
	return w
}

// pause is the time to the next question: an interval at most, and a hundredth less at least, so that it ends together with
// those of other instances. An idle supervisor then wakes once for many of them.
func (w *healthWatch) pause() time.Duration {
	now, interval := time.Now(), w.policy.rules.Interval.Std()
	due := now.Add(interval).Truncate(min(interval/100, pulseGap))
	return due.Sub(now)
}

func (w *healthWatch) due() <-chan time.Time {
	if w.timer == nil || w.asking {
		return nil
	}
	return w.timer.C
}

// stop ends the watch and waits for an open question.
func (w *healthWatch) stop() {
	if w.timer != nil {
		w.timer.Stop()
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
	w.asking = true
	w.timer.Reset(w.pause())
	done := func() {}
	if p.provider.serial {
		if !in.s.router.reserve(p.provider) {
			w.answers <- in.look(p, time.Now(), nil, errOverdue)
			return
		}
		done = func() { in.s.router.unreserve(p.provider) }
	}
	ctx, cancel := context.WithTimeout(life, w.policy.rules.Timeout.Std())
	w.cancel = cancel
	go func() {
		defer in.s.pulse.listen()()
		asked := time.Now()
		health, err := p.talk.Health(ctx)
		done()
		w.answers <- in.look(p, asked, health, err)
	}()
}

// look adds to an answer what else can be seen of the instance and its host.
func (in *instance) look(p *incarnation, asked time.Time, health *ipc.Health, err error) sighting {
	s := sighting{answer: health, err: err}
	s.open, s.overdue = in.s.router.load(p.provider, time.Now())
	if err == nil && s.overdue == 0 {
		return s
	}
	s.stalled = p.talk.Stats().Stalled
	s.starved = in.s.pulse.missed(asked)
	s.traced = p.proc != nil && p.proc.Traced()
	if pressure, ok := process.ReadPressure(); ok {
		s.strain = max(pressure.CPU, pressure.Memory)
	}
	return s
}

// judge draws the consequences of a sighting.
func (in *instance) judge(p *incarnation, w *healthWatch, s sighting) judgement {
	w.asking = false
	w.cancel()
	if isDone(p.talk.Done()) {
		return judgement{} // the connection's end says more
	}
	before := w.policy.failures
	j := w.policy.next(s)
	now := in.snapshot()
	switch {
	case j.sick:
	case w.policy.failures > before:
		in.s.journal.add(Entry{Kind: KindWarning, Module: in.id.Name, Instance: in.id.Instance, Text: j.why})
	case s.err != nil: // busy
	case !j.routed && (now.State == Ready || now.State == Unready && now.Why != j.why):
		in.s.router.detach(p.provider)
		in.enter(Unready, j.why)
	case j.routed && now.State == Unready:
		in.s.router.attach(p.provider)
		in.enter(Ready, "")
	}
	return j
}
