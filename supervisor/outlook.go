package supervisor

import (
	"fmt"
	"strings"
	"time"

	"github.com/ixtrun/ixt/manifest"
)

// missing names the first module that m comes after and that is not ready yet; the channel tells when to ask again.
func (s *Supervisor) missing(m *manifest.Module) (string, <-chan struct{}) {
	for _, u := range s.units {
		if _, ok := m.After[u.m.Name]; !ok {
			continue
		}
		if ready, changed := u.ready(); !ready {
			return u.m.Name, changed
		}
	}
	return "", nil
}

// restartCoupled restarts the modules that come after the named one and asked to go down with it; they wait for it to be
// ready again before they start.
func (s *Supervisor) restartCoupled(name string) {
	if s.stopping() {
		return
	}
	for _, u := range s.units {
		if !u.m.After[name].Restart {
			continue
		}
		for _, in := range u.list() {
			if state := in.snapshot().State; state == Ready || state == Unready {
				in.restart()
			}
		}
	}
}

// demand starts the named modules where modules start on demand, and those they come after.
func (s *Supervisor) demand(names []string) {
	if !s.opts.OnDemand {
		return
	}
	for _, name := range names {
		u := s.byName[name]
		if u == nil || !u.wake() {
			continue
		}
		for other := range u.m.After {
			s.demand([]string{other})
		}
	}
}

// outlook tells a caller what it can hope for from modules none of which is ready.
func (s *Supervisor) outlook(names []string, deadline time.Time) outlook {
	o := outlook{hopeless: true}
	var whys []string
	for _, name := range names {
		hope, why := s.byName[name].prospect(deadline)
		o.hopeless = o.hopeless && !hope
		whys = append(whys, why)
	}
	o.why = strings.Join(whys, "; ")
	return o
}

// prospect says whether an instance may be ready before the deadline, and what the module is doing.
func (u *unit) prospect(deadline time.Time) (hope bool, why string) {
	u.mu.Lock()
	desired := u.desired
	u.mu.Unlock()
	name := u.m.Name
	instances := u.list()
	if len(instances) == 0 {
		switch {
		case u.s.stopping():
			return false, "the supervisor is stopping"
		case desired == halted:
			return false, fmt.Sprintf("%s is stopped; `ixt start %s` starts it", name, name)
		}
		return true, name + " is not started yet"
	}
	var whys []string
	for _, in := range instances {
		r := in.snapshot()
		switch {
		case r.State == Failed, r.State == Backoff:
			next := "no further attempt by itself; `ixt start " + name + "` tries again"
			if !r.NextStart.IsZero() {
				next = "next attempt in " + manifest.Duration(time.Until(r.NextStart).Round(100*time.Millisecond)).String()
				hope = hope || deadline.IsZero() || r.NextStart.Before(deadline)
			}
			whys = append(whys, fmt.Sprintf("%s is in %s (%s): %s", name, r.State, next, r.Why))
		case r.State == Stopped:
			whys = append(whys, name+" is stopped")
		default:
			hope = true
			whys = append(whys, fmt.Sprintf("%s is %s%s", name, r.State, because(r.Why)))
		}
	}
	return hope, strings.Join(whys, "; ")
}

// wake starts a module that nobody has started or stopped; false if there was nothing to do.
func (u *unit) wake() bool {
	u.mu.Lock()
	fresh := u.desired == asleep
	u.mu.Unlock()
	if fresh {
		u.start()
	}
	return fresh
}
