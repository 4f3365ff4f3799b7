package tests

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ixtrun/ixt/supervisor"
)

// Flags of the test binary: go test ./tests -run TestCampaign -v -campaign 10m -seed 1 -timeout 15m
var (
	campaignTime = flag.Duration("campaign", 5*time.Second, "how long TestCampaign lets faults happen")
	campaignSeed = flag.Uint64("seed", 0, "what the actors of TestCampaign decide by; 0: a seed from the clock")
)

// TestCampaign runs a mix of modules (campaign_fleet_test.go) while actors call, cancel and flood them
// (campaign_callers_test.go), kill, freeze, restart and stop them (campaign_faults_test.go). What must hold all the time is
// checked with each call that ends (campaign_judge_test.go) and each entry of the journal (campaign_journal_test.go), and in
// the end against what the modules wrote down themselves (campaign_ledger_test.go).
//
//	faults ──> everything works again ──> stop under load ──> nothing is left ──> the books agree
//
// A seed repeats what the actors decide, not when it meets what.
func TestCampaign(t *testing.T) {
	files, goroutines := openFiles(), goleak.IgnoreCurrent()
	c := newCampaign(t)
	c.faults(*campaignTime)
	c.recovery()
	c.lastStop()
	c.audit()
	c.requireNothingLeft(files, goroutines)
	t.Log(c.summary())
}

// campaign is a fleet under fire and the books that are kept of it.
type campaign struct {
	*fleet
	seed     uint64
	stations []*station
	ledger   string // path of the file in which modules write down what reaches them
	runtime  string // where the supervisor's sockets are
	temp     string // where its state and everybody's temporary files are
	began    time.Time
	actors   sync.WaitGroup
	book     book
	annals   *annals
	peaks    peaks

	// What the summary tells besides.
	losses     tally  // signals sent, by name
	commands   tally  // commands given, by name
	exhausted  tally  // idempotent calls that used up their attempts, by topic
	retried    uint64 // calls sent to another instance
	deliveries int    // calls that reached a module, repeats included

	mu         sync.Mutex
	violations []string
	prelude    string             // the end of the journal before the first of them
	abort      context.CancelFunc // ends the faults
	ending     bool               // the supervisor has been told to stop
}

func newCampaign(t *testing.T) *campaign {
	c := &campaign{fleet: newFleet(t), seed: *campaignSeed, runtime: shortDir(t), temp: shortDir(t), began: time.Now(), abort: func() {}}
	if c.seed == 0 {
		c.seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", c.seed)
	c.fleet.ctx, _ = patienceFor(t, *campaignTime+6*patience)
	c.ledger = filepath.Join(shortDir(t), "ledger")
	writeFile(t, c.ledger, "")
	t.Setenv("XDG_RUNTIME_DIR", c.runtime)
	t.Setenv("TMPDIR", c.temp)
	c.stations = c.build()
	c.fleet.start()
	c.annals = c.keepAnnals()
	c.awaitHealth("at the start")
	return c
}

// faults lets everything happen at once for a while, or until something is wrong.
func (c *campaign) faults(d time.Duration) {
	ctx, cancel := context.WithTimeout(c.ctx, d)
	defer cancel()
	c.mu.Lock()
	c.abort = cancel
	c.mu.Unlock()
	for i := range 6 {
		c.cast(ctx, fmt.Sprint("faithful caller ", i), (*actor).callFaithfully)
	}
	for i := range 24 {
		c.cast(ctx, fmt.Sprint("caller ", i), (*actor).callSomebody)
	}
	c.cast(ctx, "flood", (*actor).flood)
	c.cast(ctx, "killer", (*actor).kill)
	c.cast(ctx, "freezer", (*actor).freeze)
	half := len(c.stations) / 2
	c.cast(ctx, "first commander", func(a *actor) { a.command(c.stations[:half]) })
	c.cast(ctx, "second commander", func(a *actor) { a.command(c.stations[half:]) })
	c.cast(ctx, "observer", (*actor).observe)
	c.awaitActors(ctx)
}

// recovery shows that faults leave no mark: every instance is back, answers, owes nothing, and lives on.
func (c *campaign) recovery() {
	c.awaitHealth("after the faults")
	pause(c.ctx, longestMood)
	c.awaitHealth("when moods are over")
	calm := c.Journal().Seq()
	for _, s := range c.stations {
		for range 2 * s.instances {
			if s.topic != "" {
				c.ask(&call{station: s, order: "plain", ttl: patience, mustSucceed: true})
			}
		}
	}
	c.awaitHealth("after calls that harmed nobody")
	for _, e := range c.Journal().Last(1000) {
		if e.Seq > calm && e.Kind == supervisor.KindExit {
			c.violated("%s/%03d ended though nobody harmed it: %s", e.Module, e.Instance, e.Text)
		}
	}
	c.compareCounts()
}

// awaitHealth waits until every instance is ready and holds no call.
func (c *campaign) awaitHealth(when string) {
	var missing string
	healthy := func() bool {
		missing = ""
		for _, m := range c.Modules() {
			for _, in := range m.Instances {
				if in.State != supervisor.Ready || in.InFlight > 0 {
					missing += fmt.Sprintf("%s/%03d is %s with %d calls: %s\n", m.Name, in.Instance, in.State, in.InFlight, in.Why)
				}
			}
		}
		for _, s := range c.Topics() {
			if s.Queued > 0 {
				missing += fmt.Sprintf("%d calls wait for %s\n", s.Queued, s.Topic)
			}
		}
		return missing == ""
	}
	if !eventually(healthy) {
		c.violated("not healthy %s after %s:\n%s", when, patience, missing)
	}
	c.requireInnocence()
}

// lastStop stops the supervisor while it is called. It may take what the modules' own limits allow.
func (c *campaign) lastStop() {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	for i := range 24 {
		c.cast(ctx, fmt.Sprint("last caller ", i), (*actor).callSomebody)
	}
	pause(ctx, 200*time.Millisecond)
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	began := time.Now()
	c.halt()
	if took := time.Since(began); took > longestStop+lateness {
		c.violated("the supervisor took %s to stop; the modules' limits allow %s", took, longestStop)
	}
	cancel()
	c.awaitActors(ctx)
	<-c.annals.complete
	c.requireInnocence()
}

// actor does one thing again and again. What it decides follows from the seed and its name.
type actor struct {
	*campaign
	dice *rand.Rand
	over context.Context // ends with the actor's part
}

// cast lets an actor act until ctx ends.
func (c *campaign) cast(ctx context.Context, name string, act func(*actor)) {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name)) // never fails
	a := &actor{c, rand.New(rand.NewPCG(c.seed, hash.Sum64())), ctx}
	c.actors.Go(func() {
		for ctx.Err() == nil {
			act(a)
		}
	})
}

// awaitActors waits until ctx has ended and every actor has come to an end; a call that does not end keeps its caller.
func (c *campaign) awaitActors(ctx context.Context) {
	<-ctx.Done()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.actors.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(2 * patience):
		c.violated("these calls have not ended %s after the actors were told to: %s", 2*patience, c.book.openCalls())
	}
	c.requireInnocence()
}

// within is a time up to d.
func (a *actor) within(d time.Duration) time.Duration {
	return time.Duration(a.dice.Int64N(int64(d) + 1))
}

// chance is true in so many of a hundred cases.
func (a *actor) chance(percent int) bool { return a.dice.IntN(100) < percent }

func pick[T any](a *actor, from []T) T { return from[a.dice.IntN(len(from))] }

// pause lets time pass: the rhythm of an actor, never a wait for something to have happened.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// violated writes down that an invariant does not hold, and ends the faults.
func (c *campaign) violated(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.violations) == 0 {
		c.prelude = c.tail()
	}
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
	c.abort()
}

// tail is the end of the journal.
func (c *campaign) tail() string {
	var b strings.Builder
	for _, e := range c.Journal().Last(60) {
		fmt.Fprintf(&b, "  %s %s\n", e.Time.Format("05.000"), e)
	}
	return b.String()
}

func (c *campaign) requireInnocence() {
	c.mu.Lock()
	defer c.mu.Unlock()
	const shown = 10
	n := len(c.violations)
	require.Zero(c.t, n, "invariants violated, with seed %d after %s:\n%s\njournal before the first:\n%s",
		c.seed, time.Since(c.began).Round(time.Second), strings.Join(c.violations[:min(n, shown)], "\n"), c.prelude)
}

func (c *campaign) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}
