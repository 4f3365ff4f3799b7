package supervisor

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ixtrun/ixt/internal/process"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// instance is one numbered place for a process of a module. One goroutine, run, owns it from start to stop and goes
// through its life in a straight line:
//
//	   ┌─────────────────────────────────────────────────────────────────────┐
//	   v                                                                     │
//	waiting ─> starting ─> ready <─> unready ─> draining ─> stopping ─> backoff or failed
//	              └── failed start ────────────────────────────┘   └─> stopped, when told to
//
// Others see it only through its record, and influence it only by ending its ctx (stop) and by kick.
type instance struct {
	s      *Supervisor
	id     ipc.ModuleID
	module *manifest.Module
	unit   *unit

	stop context.CancelFunc // asks for an orderly end
	kick chan string        // asks for a restart now, for that reason; holds one
	done chan struct{}      // closed when run has returned and the unit has forgotten the instance

	lease lease // of a singleton; run's own

	mu       sync.Mutex
	record   record
	provider *provider // while there is one
}

// record is all that is known of an instance from outside: small, plain and complete, so that it can be written down.
type record struct {
	State     State
	Why       string    // the reason of the state, one sentence
	Cause     string    // of the end that led to the state, if one did
	Since     time.Time // when State began
	PID       int
	Started   uint64    // the process's start time as the system counts it
	SDK       string    // as the module named it in init
	Limit     int       // calls at once
	Socket    string    // where a module started by hand connects
	ReadyAt   time.Time // when the current process became ready
	NextStart time.Time // backoff and failed: when the next attempt is due; zero: none by itself
	Restarts  int
	Late      int // answers of earlier processes that came when nobody waited any more
	LastExit  string
}

func (in *instance) snapshot() record {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.record
}

// enter changes the record and its state, writes that into the journal and lets callers look again. Nothing else changes it.
func (in *instance) enter(state State, why string, changes ...func(*record)) {
	now := time.Now()
	in.mu.Lock()
	r := &in.record
	if r.State != state {
		r.Since = now
	}
	r.State, r.Why, r.Cause, r.NextStart = state, why, "", time.Time{}
	for _, change := range changes {
		change(r)
	}
	entry := Entry{Kind: KindState, Module: in.id.Name, Instance: in.id.Instance, State: state, Cause: r.Cause, Text: why, PID: r.PID}
	if !r.NextStart.IsZero() {
		entry.DelayMS = r.NextStart.Sub(now).Milliseconds()
	}
	in.mu.Unlock()
	in.s.journal.add(entry)
	in.s.router.stateChanged()
	in.unit.announce()
}

// run is the instance's life. It returns when life has ended and nothing of the instance is left.
func (in *instance) run(life context.Context) {
	policy := restartPolicy{rules: in.module.Restart}
	for cause := ""; life.Err() == nil; {
		end := in.live(life, cause)
		if life.Err() != nil {
			break
		}
		cause = end.closest()
		d := policy.next(time.Now(), end, rand.Float64())
		if !end.wanted {
			in.rememberEnd(end)
			in.reportCrash(end, d)
		} else if !end.ready { // a module started by hand: whoever did that wants to know
			in.warn(end.what)
		}
		goOn, asked := in.rest(life, d, cause)
		if !goOn {
			break
		}
		if asked { // whoever asks has seen to the reason
			policy = restartPolicy{rules: in.module.Restart}
		}
		if end.ready && !end.wanted {
			in.s.restartGroup(in.module)
		}
	}
	in.letGo()
	in.enter(Stopped, "")
	in.s.retire(in.id)
}

// rememberEnd makes the reason of an end, which may be more than how its process exited, the last that is known of it.
func (in *instance) rememberEnd(end ending) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.record.LastExit = end.what
}

// prepare has the module built and waits until those it comes after are ready, and it may run here.
func (in *instance) prepare(life context.Context) error {
	if err := in.s.builds.run(life, in); err != nil {
		return err
	}
	if err := in.awaitOthers(life); err != nil {
		return err
	}
	return in.hold(life)
}

// awaitOthers waits until the modules this one comes after are ready.
func (in *instance) awaitOthers(life context.Context) error {
	for {
		missing, changed := in.s.missing(in.module)
		if missing == nil {
			return life.Err()
		}
		in.enter(Waiting, "for "+missing.m.Name+" to be ready")
		select {
		case <-changed:
		case <-life.Done():
			return life.Err()
		}
	}
}

// rest waits out what the policy decided; false means that life ended, or that the supervisor stops and starts nothing more.
// asked means that somebody did not want to wait.
func (in *instance) rest(life context.Context, d decision, cause string) (goOn, asked bool) {
	if d.state == "" {
		return life.Err() == nil && !in.s.stopping(), false
	}
	if d.delay != 0 {
		in.letGo()
	}
	if d.state == Stopped {
		in.s.retire(in.id)
	}
	var timer <-chan time.Time
	in.enter(d.state, d.why, func(r *record) {
		r.Cause = cause
		if d.delay != forever {
			r.NextStart = time.Now().Add(d.delay)
		}
	})
	if d.delay != forever {
		t := time.NewTimer(d.delay)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-timer:
	case <-in.kick:
		asked = true
	case <-in.s.ending:
		return false, false
	case <-life.Done():
		return false, false
	}
	return !in.s.stopping(), asked
}

// live is one process from spawn to reap; it returns why it ended. cause is that of the one before, "" if there was none.
func (in *instance) live(life context.Context, cause string) ending {
	if err := in.prepare(life); err != nil {
		return ending{cause: []string{causeBuild}, what: err.Error()}
	}
	life, unlease := in.leased(life)
	defer unlease()
	p := &incarnation{born: time.Now(), byHand: in.s.opts.ByHand[in.module.Name]}
	in.enter(Starting, "", func(r *record) {
		if r.Cause = cause; cause != "" {
			r.Restarts++
		}
		select {
		case <-in.kick: // what it asked for is happening
		default:
		}
	})
	if err := in.start(life, p); err != nil {
		why := "the start failed"
		if life.Err() != nil {
			why = endOf(life).what
		}
		in.end(p, why)
		end := in.failedStart(p, err)
		end.wanted = end.wanted || life.Err() != nil
		return end
	}
	end := in.watch(life, p)
	end.of, end.ready, end.ran = p, true, time.Since(p.ready)
	exit := in.end(p, end.what)
	if broken := new(ipc.ProtocolError); errors.As(p.talk.Err(), &broken) { // which says more than the exit that follows
		end.cause, end.what = []string{causeProtocol}, broken.Error()
	} else if p.died {
		end.cause, end.what = causesOf(p.exit, p.outOfMemory), exit
	}
	in.s.restartCoupled(in.module.Name)
	return end
}

// failedStart is the ending of a start that did not get to ready.
func (in *instance) failedStart(p *incarnation, err error) ending {
	end := ending{cause: []string{causeStart}, wanted: p.byHand, of: p}
	var refused *ipc.Error
	var early *earlyError
	switch {
	case errors.As(err, &refused) && refused.Outcome == ipc.Done:
		end.what = "init failed: " + refused.Error()
		if refused.Code == ipc.CodeConfigInvalid {
			end.cause = []string{causeConfig}
		}
		return end
	case isProgramAtFault(err):
		end.cause = []string{causeProgram, causeStart}
	case errors.As(err, &early):
		early.last = in.lastWords(p)
		if p.died {
			end.cause = append(causesOf(p.exit, p.outOfMemory), causeStart)
		}
	}
	end.what = err.Error()
	return end
}

// watch stays with a ready process until it ends, must be ended or is told to end.
func (in *instance) watch(life context.Context, p *incarnation) ending {
	health := newHealthWatch(in.module.Health, p.byHand || in.module.Process.Protocol == "none")
	defer health.stop()
	stopping := in.s.ending
	for {
		select {
		case <-stopping:
			stopping = nil
			in.enter(Draining, "the supervisor stops")
		case <-life.Done():
			return endOf(life)
		case why := <-in.kick:
			return ending{what: why, wanted: true}
		case <-p.exited():
			p.died = true
			return ending{what: "the process ended"}
		case <-p.talk.Done():
			return in.lost(life, p)
		case <-health.due():
			in.checkHealth(life, p, health)
		case answer := <-health.answers:
			if j := in.judge(p, health, answer); j.sick {
				p.hung = j.hung
				return ending{cause: []string{causeHealth}, what: j.why}
			}
		}
	}
}

// lingering is how long a process that closed its connection may take to exit before that counts as its end.
const lingering = time.Second

// lost finds out what the end of a connection means: mostly that the process is on its way out.
func (in *instance) lost(life context.Context, p *incarnation) ending {
	in.s.router.detach(p.provider)
	end := ending{cause: []string{causeClosed}, what: "the module closed its connection", wanted: p.byHand}
	if p.byHand {
		return end
	}
	timer := time.NewTimer(lingering)
	defer timer.Stop()
	select {
	case <-p.exited():
		p.died = true
	case <-timer.C:
	case <-life.Done():
	}
	return end
}

// incarnation is one process of an instance with everything that belongs to it.
type incarnation struct {
	born     time.Time
	ready    time.Time
	ended    time.Time // when it was reaped; zero: it was not
	sdk      string    // as it named it in init
	mark     string    // the value of envRun for what it starts
	talk     conversation
	proc     *process.Process // nil if it is not spawned yet, or if a person starts it
	provider *provider        // nil before init is answered
	output   output           // the readers of stdout and stderr
	byHand   bool             // a person starts it; it is awaited and not timed
	died     bool             // the process ended by itself
	hung     bool             // it does not answer, so it is not asked to finish
	exit     process.Exit     // set once it is reaped
	dumped   time.Time        // when it was asked where it hangs; zero: it was not
	// outOfMemory says that the system killed it for lack of memory; set with exit.
	outOfMemory bool
}

// stopped reports whether the process is suspended and cannot hear a request to finish.
func (p *incarnation) stopped() bool { return p.proc != nil && p.proc.Stopped() }

// exited is closed when the process has ended; it never is for one that was not spawned here.
func (p *incarnation) exited() <-chan struct{} {
	if p.proc == nil {
		return nil
	}
	return p.proc.Exited()
}
