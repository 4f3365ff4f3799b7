package supervisor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ixtrun/ixt/manifest"
)

// restartPolicy decides what follows the end of an instance. It is a function of its history, the time and the cause:
// it reads no clock, rolls no dice and does no I/O.
type restartPolicy struct {
	rules  manifest.Restart
	starts tally // starts that failed, since one that did not
	deaths tally // ends of a ready instance, since a stable run
}

// tally is a history of failures of one sort.
type tally struct {
	failures []time.Time // those inside the window, oldest first
	streak   int         // all of them; sets the delay
	gaveUp   bool        // the last decision was to give up; one more failure does so again
}

// ending is why an instance is no longer running.
type ending struct {
	cause  []string      // what rules call it, the closest name first: "exit 1", "exit"
	what   string        // "exit 1", "signal: killed", "health failed 3 times: ..."
	ready  bool          // it had been ready
	ran    time.Duration // time since then
	wanted bool          // a restart was asked for: no failure
	of     *incarnation  // nil: it did not come to a process
}

// decision is what to do next, and the sentence that explains it.
type decision struct {
	state State         // where it rests meanwhile: Backoff, Failed or Stopped; "": nowhere
	delay time.Duration // until the next attempt; 0 at once, forever: none by itself
	why   string
}

// forever means that nothing but a command starts the instance again.
const forever time.Duration = -1

// next decides. luck is a random number in [0,1) from which the jitter is taken.
func (p *restartPolicy) next(now time.Time, end ending, luck float64) decision {
	if end.wanted {
		p.starts, p.deaths = tally{}, tally{}
		return decision{"", 0, end.what}
	}
	t, limit, noun := &p.starts, cmp.Or(p.rules.GiveUpStarts, p.rules.GiveUp), "failed start"
	if end.ready {
		p.starts = tally{}
		if end.ran >= p.rules.Forgive.Std() {
			p.deaths = tally{}
		}
		t, limit, noun = &p.deaths, p.rules.GiveUp, "failure"
	}
	reaction := p.rules.Reaction(end.cause...)
	switch {
	case reaction == "stop":
		return decision{Stopped, forever, end.what + "; restart.on says stop"}
	case reaction == "fail":
		return decision{Failed, orForever(p.rules.Retry.Std()), end.what + "; restart.on says fail"}
	case reaction == "" && end.is(causeConfig):
		return decision{Failed, forever, end.what + "; not retried until the configuration changes"}
	}
	count := t.add(now, p.rules.Window.Std(), noun)
	if reaction == "" && (end.is(causeBuild) || end.is(causeProgram)) || t.gaveUp || len(t.failures) >= limit {
		t.gaveUp = true
		return decision{Failed, orForever(p.rules.Retry.Std()), fmt.Sprintf("gave up after %s: %s", count, end.what)}
	}
	return decision{Backoff, p.delay(t.streak, end.ready, luck),
		fmt.Sprintf("%s: %s; gives up after %d in %s", end.what, count, limit, p.rules.Window)}
}

// is reports whether the cause is the one named.
func (e ending) is(cause string) bool { return len(e.cause) > 0 && e.cause[0] == cause }

// add counts a failure, forgets those that are older than the window, and says how many there are.
func (t *tally) add(now time.Time, window time.Duration, noun string) string {
	n := 0
	for n < len(t.failures) && now.Sub(t.failures[n]) > window {
		n++
	}
	t.failures = append(t.failures[n:], now)
	t.streak++
	if len(t.failures) == 1 {
		return "1st " + noun
	}
	return fmt.Sprintf("%s %s in %s", ordinal(len(t.failures)), noun, now.Sub(t.failures[0]).Round(100*time.Millisecond))
}

// delay doubles with every failure in a row up to the cap and is then spread, so that a crowd does not come back at once. An
// instance that has been ready begins with a wait of its own.
func (p *restartPolicy) delay(streak int, ready bool, luck float64) time.Duration {
	if ready {
		if streak--; streak == 0 {
			return p.rules.First.Std()
		}
	}
	d, limit := p.rules.Initial.Std(), p.rules.Max.Std()
	for i := 1; i < streak && d < limit; i++ {
		d *= 2
	}
	spread := time.Duration(float64(min(d, limit)) * (1 + p.rules.Jitter*(2*luck-1)))
	return min(spread, limit)
}

func orForever(d time.Duration) time.Duration {
	if d <= 0 {
		return forever
	}
	return d
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
	first, again := "at once", "then stays failed"
	if r.First > 0 {
		first = "after " + r.First.String()
	}
	if r.Retry > 0 {
		again = "then tries again every " + r.Retry.String()
	}
	text := fmt.Sprintf("restarts %s, then after %s doubling to %s; forgiven after %s of running; gives up after %d in %s, %s",
		first, r.Initial, r.Max, r.Forgive, r.GiveUp, r.Window, again)
	for _, cause := range slices.Sorted(maps.Keys(r.On)) {
		text += fmt.Sprintf("; after %s: %s", cause, r.On[cause])
	}
	if r.Group != "" {
		text += "; together with group " + r.Group
	}
	return text
}
