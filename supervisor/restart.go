package supervisor

import (
	"fmt"
	"time"

	"github.com/ixtrun/ixt/manifest"
)

// restartPolicy decides what follows the end of an instance. It is a function of its history, the time and the cause:
// it reads no clock, rolls no dice and does no I/O.
type restartPolicy struct {
	rules    manifest.Restart
	failures []time.Time // those inside the window, oldest first
	streak   int         // failures since the last forgiveness; sets the delay
	gaveUp   bool        // the last decision was to give up; one more failure does so again
}

// ending is why an instance is no longer running.
type ending struct {
	what   string        // "exit 1", "signal: killed", "health failed 3 times: ..."; reads well after "after"
	ran    time.Duration // time it was ready; 0: it never was
	never  bool          // no restart can help until something else changes: a refused configuration
	later  bool          // trying again soon cannot help: a failed build
	broken bool          // it broke the wire, which says more than the exit that follows
	wanted bool          // a restart was asked for: no failure
}

// decision is what to do next, and the sentence that explains it.
type decision struct {
	state State         // Backoff or Failed
	delay time.Duration // until the next attempt; 0 at once, forever: none by itself
	why   string
}

// forever means that nothing but a command starts the instance again.
const forever time.Duration = -1

// next decides. luck is a random number in [0,1) from which the jitter is taken.
func (p *restartPolicy) next(now time.Time, end ending, luck float64) decision {
	if end.wanted {
		p.failures, p.streak, p.gaveUp = nil, 0, false
		return decision{Backoff, 0, "restart asked for"}
	}
	if end.ran >= p.rules.Forgive.Std() {
		p.failures, p.streak, p.gaveUp = nil, 0, false
	}
	p.forget(now)
	p.failures = append(p.failures, now)
	p.streak++
	switch {
	case end.never:
		return decision{Failed, forever, end.what + "; not retried until the configuration changes"}
	case end.later || p.gaveUp || len(p.failures) >= p.rules.GiveUp:
		return p.giveUp(now, end)
	}
	delay := p.delay(luck)
	return decision{Backoff, delay, fmt.Sprintf("%s: %s; gives up after %d in %s",
		end.what, p.count(now), p.rules.GiveUp, manifest.Duration(p.rules.Window.Std()))}
}

func (p *restartPolicy) giveUp(now time.Time, end ending) decision {
	p.gaveUp = true
	retry := p.rules.Retry.Std()
	why := fmt.Sprintf("gave up after %s: %s", p.count(now), end.what)
	if retry <= 0 {
		return decision{Failed, forever, why}
	}
	return decision{Failed, retry, why}
}

// forget drops the failures that are older than the window.
func (p *restartPolicy) forget(now time.Time) {
	n := 0
	for n < len(p.failures) && now.Sub(p.failures[n]) > p.rules.Window.Std() {
		n++
	}
	p.failures = p.failures[n:]
}

func (p *restartPolicy) count(now time.Time) string {
	n := len(p.failures)
	if n == 1 {
		return "1st failure"
	}
	return fmt.Sprintf("%s failure in %s", ordinal(n), now.Sub(p.failures[0]).Round(100*time.Millisecond))
}

// delay doubles with every failure in a row up to the cap and is then spread, so that a crowd does not come back at once.
func (p *restartPolicy) delay(luck float64) time.Duration {
	d, limit := p.rules.Initial.Std(), p.rules.Max.Std()
	for i := 1; i < p.streak && d < limit; i++ {
		d *= 2
	}
	spread := time.Duration(float64(min(d, limit)) * (1 + p.rules.Jitter*(2*luck-1)))
	return min(spread, limit)
}

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}

// restartRules says in a sentence what the policy will do.
func restartRules(r manifest.Restart) string {
	again := "then stays failed"
	if r.Retry > 0 {
		again = "then tries again every " + r.Retry.String()
	}
	return fmt.Sprintf("restarts after %s, doubling to %s; forgiven after %s of running; gives up after %d in %s, %s",
		r.Initial, r.Max, r.Forgive, r.GiveUp, r.Window, again)
}
