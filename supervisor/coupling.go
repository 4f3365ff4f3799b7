package supervisor

import (
	"fmt"

	"github.com/ixtrun/ixt/manifest"
)

// start makes a module run, and where modules start on demand also those it comes after.
func (s *Supervisor) start(u *unit) {
	u.start()
	s.demandOthers(u)
}

// demand starts the named modules where modules start on demand, and those they come after.
func (s *Supervisor) demand(names []string) {
	if !s.opts.OnDemand {
		return
	}
	for _, name := range names {
		if u := s.byName[name]; u != nil && u.wake() {
			s.demandOthers(u)
		}
	}
}

func (s *Supervisor) demandOthers(u *unit) {
	for other := range u.m.After {
		s.demand([]string{other})
	}
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
			in.restart("restarts with "+name, Ready, Unready)
		}
	}
}

// restartGroup restarts the other modules of m's group, as m is restarted after a failure.
func (s *Supervisor) restartGroup(m *manifest.Module) {
	if m.Restart.Group == "" || s.stopping() {
		return
	}
	for _, u := range s.units {
		if u.m == m || u.m.Restart.Group != m.Restart.Group {
			continue
		}
		for _, in := range u.list() {
			in.restart(fmt.Sprintf("restarts with %s (group %s)", m.Name, m.Restart.Group), Ready, Unready)
		}
	}
}
