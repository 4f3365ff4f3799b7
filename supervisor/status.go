package supervisor

import (
	"maps"
	"slices"
	"time"

	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/manifest"
)

// ModuleStatus is what is known of a module.
type ModuleStatus struct {
	Name        string           `json:"name"`
	Version     string           `json:"version"`
	Description string           `json:"description,omitempty"`
	Manifest    string           `json:"manifest"` // path
	Protocol    string           `json:"protocol"`
	Provides    []string         `json:"provides"` // topics
	Requires    []string         `json:"requires,omitempty"`
	After       []string         `json:"after,omitempty"` // modules that must be ready before it starts
	Policy      string           `json:"policy"`          // the restart rules in a sentence
	Instances   []InstanceStatus `json:"instances"`
}

// InstanceStatus is what is known of one instance of a module.
type InstanceStatus struct {
	Instance    int        `json:"instance"`
	State       State      `json:"state"`
	Why         string     `json:"why,omitempty"` // the reason of the state, one sentence
	Since       time.Time  `json:"since"`         // when the state began
	PID         int        `json:"pid,omitempty"`
	SDK         string     `json:"sdk,omitempty"`
	Concurrency int        `json:"concurrency,omitempty"` // calls it takes at once
	InFlight    int        `json:"in_flight"`
	ReadyAt     *time.Time `json:"ready_at,omitempty"`   // when the current process became ready
	NextStart   *time.Time `json:"next_start,omitempty"` // when the next attempt is due
	Restarts    int        `json:"restarts"`
	LastExit    string     `json:"last_exit,omitempty"`
	Late        int        `json:"late,omitempty"`   // answers of the current process that came when nobody waited any more
	Socket      string     `json:"socket,omitempty"` // where a module started by hand connects
}

// TopicStatus is what is known of a topic.
type TopicStatus struct {
	Topic    string   `json:"topic"`
	Modules  []string `json:"modules"`
	Ready    int      `json:"ready"`     // instances that take calls
	InFlight int      `json:"in_flight"` // calls that modules have
	Queued   int      `json:"queued"`
	Done     uint64   `json:"done"`     // since the start
	Failed   uint64   `json:"failed"`   // with any error
	Rejected uint64   `json:"rejected"` // the queue was full
	Retried  uint64   `json:"retried"`  // sent to another instance
	// Codes counts the failed calls that no module answered, by code.
	Codes map[string]uint64 `json:"codes,omitempty"`
}

// Modules returns the status of every module, by name.
func (s *Supervisor) Modules() []ModuleStatus {
	out := make([]ModuleStatus, 0, len(s.units))
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		out = append(out, s.byName[name].status())
	}
	return out
}

// Module returns the status of one module.
func (s *Supervisor) Module(name string) (ModuleStatus, error) {
	u := s.byName[name]
	if u == nil {
		return ModuleStatus{}, s.unknownModule(name)
	}
	return u.status(), nil
}

// Settings returns every effective value of a module's manifest with its origin; secrets are masked.
func (s *Supervisor) Settings(name string) ([]manifest.Setting, error) {
	u := s.byName[name]
	if u == nil {
		return nil, s.unknownModule(name)
	}
	return u.m.Settings(), nil
}

// Logs returns what the modules wrote; nil until Run has set up.
func (s *Supervisor) Logs() *logs.Store {
	select {
	case <-s.up:
		return s.logs
	default:
		return nil
	}
}

// Topics returns the status of every topic, by name.
func (s *Supervisor) Topics() []TopicStatus {
	r := s.router
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]TopicStatus, 0, len(r.topics))
	for _, name := range slices.Sorted(maps.Keys(r.topics)) {
		t := r.topics[name]
		status := TopicStatus{
			Topic: name, Modules: slices.Clone(t.modules), Ready: len(t.providers), Queued: len(t.queue),
			Done: t.counts.done, Failed: t.counts.failed, Rejected: t.counts.rejected, Retried: t.counts.retried,
			Codes: maps.Clone(t.counts.byCode),
		}
		for _, p := range t.providers {
			status.InFlight += p.perTopic[name]
		}
		out = append(out, status)
	}
	return out
}

func (u *unit) status() ModuleStatus {
	m := u.m
	out := ModuleStatus{
		Name: m.Name, Version: m.Version, Description: m.Description, Manifest: m.File, Protocol: m.Process.Protocol,
		Provides: slices.Sorted(maps.Keys(m.Services)), Requires: m.Requires.Services, After: slices.Sorted(maps.Keys(m.After)),
		Policy: restartRules(m.Restart),
	}
	for _, in := range u.list() {
		out.Instances = append(out.Instances, in.status())
	}
	if len(out.Instances) == 0 {
		_, why := u.prospect(time.Time{})
		out.Instances = []InstanceStatus{{Instance: 1, State: Stopped, Why: why}}
	}
	return out
}

func (in *instance) status() InstanceStatus {
	r := in.snapshot()
	out := InstanceStatus{
		Instance: in.id.Instance, State: r.State, Why: r.Why, Since: r.Since, PID: r.PID, SDK: r.SDK, Concurrency: r.Limit,
		Restarts: r.Restarts, LastExit: r.LastExit, Socket: r.Socket,
	}
	in.mu.Lock()
	p := in.provider
	in.mu.Unlock()
	if p != nil {
		out.InFlight, _ = in.s.router.load(p, time.Now())
		out.Late = p.talk.Stats().Late
	}
	if !r.ReadyAt.IsZero() {
		out.ReadyAt = &r.ReadyAt
	}
	if !r.NextStart.IsZero() {
		out.NextStart = &r.NextStart
	}
	return out
}
