package supervisor

import (
	"fmt"
	"strings"
	"time"

	"github.com/ixtrun/ixt/manifest"
)

// missing is the first module that m comes after and that is not ready yet, nil if there is none; the channel tells when to
// ask again.
func (s *Supervisor) missing(m *manifest.Module) (*unit, <-chan struct{}) {
	for _, u := range s.units {
		if _, ok := m.After[u.m.Name]; !ok {
			continue
		}
		if ready, changed := u.ready(); !ready {
			return u, changed
		}
	}
	return nil, nil
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
	desired, name, instances := u.wants(), u.m.Name, u.list()
	switch {
	case desired == halted && !u.s.stopping():
		return false, fmt.Sprintf("%s is stopped; `ixt start %s` starts it", name, name)
	case len(instances) == 0 && u.s.stopping():
		return false, "the supervisor is stopping"
	case len(instances) == 0:
		return true, name + " is not started yet"
	}
	var whys []string
	for _, in := range instances {
		may, why := in.prospect(deadline)
		hope = hope || may
		whys = append(whys, why)
	}
	return hope, strings.Join(whys, "; ")
}

func (in *instance) prospect(deadline time.Time) (hope bool, why string) {
	r, name := in.snapshot(), in.id.Name
	switch r.State {
	case Failed, Backoff:
		hope, why = !r.NextStart.IsZero(), fmt.Sprintf("%s is in backoff: %s", name, r.Why)
		if r.State == Failed {
			why = fmt.Sprintf("%s has failed: %s", name, r.Why)
		}
		if hope {
			next := manifest.Duration(max(time.Until(r.NextStart), 0).Round(100 * time.Millisecond))
			hope, why = deadline.IsZero() || r.NextStart.Before(deadline), fmt.Sprintf("%s; next attempt in %s", why, next)
		}
		if !in.s.opts.OnDemand { // then whoever calls is all there is, and nobody can give commands
			why += fmt.Sprintf("; `ixt start %s` tries now", name)
		}
		return hope, why
	case Stopped:
		return false, name + " is stopped"
	case Waiting:
		hope, why = true, name+" is waiting"+because(r.Why)
		if missing, _ := in.s.missing(in.module); missing != nil {
			var reason string
			hope, reason = missing.prospect(deadline)
			why += "; " + reason
		}
		return hope, why
	}
	return true, fmt.Sprintf("%s is %s%s", name, r.State, because(r.Why))
}
