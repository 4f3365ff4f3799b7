package supervisor

import (
	"maps"
	"slices"
	"time"

	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// ModuleStatus is what is known of a module.
type ModuleStatus struct {
	Name        string           `json:"name"`
	Version     string           `json:"version"`
	Description string           `json:"description,omitempty"`
	Manifest    string           `json:"manifest"` // path
	Protocol    string           `json:"protocol"`
	Provides    []string         `json:"provides"`             // topics
	Requires    []string         `json:"requires,omitempty"`   // topics that it may call, or patterns of them
	Remote      []string         `json:"remote,omitempty"`     // those of them that other nodes may answer
	Exports     []string         `json:"exports,omitempty"`    // topics that other nodes may call
	Publishes   []string         `json:"publishes,omitempty"`  // topics of events, or patterns of them
	Subscribes  []string         `json:"subscribes,omitempty"` // the same, to which it may subscribe
	KV          []string         `json:"kv,omitempty"`         // buckets that it may use beside its own
	Blobs       []string         `json:"blobs,omitempty"`      // the same
	After       []string         `json:"after,omitempty"`      // modules that must be ready before it starts
	Policy      string           `json:"policy"`               // the restart rules in a sentence
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
	Late        int        `json:"late,omitempty"`   // answers that came when nobody waited any more, since the instance was first started
	Socket      string     `json:"socket,omitempty"` // where a module started by hand connects
	History     History    `json:"history"`
}

// TopicStatus is what is known of a topic.
type TopicStatus struct {
	Topic    string   `json:"topic"`
	Modules  []string `json:"modules"`
	Ready    int      `json:"ready"`     // instances that take calls
	InFlight int      `json:"in_flight"` // calls that modules have
	Queued   int      `json:"queued"`
	// What follows counts calls since the start. Each that has ended is in Done or in Failed.
	Done         uint64 `json:"done"`          // a module answered with a result
	Failed       uint64 `json:"failed"`        // all others: the sum of the next three
	Errors       uint64 `json:"errors"`        // a module answered with an error
	NotDelivered uint64 `json:"not_delivered"` // no module ever saw them
	Unknown      uint64 `json:"unknown"`       // delivered, and not answered
	Rejected     uint64 `json:"rejected"`      // of the failed, those for which the queue was full
	Retried      uint64 `json:"retried"`       // sent again, to another instance; a call may be so several times
	Late         uint64 `json:"late"`          // answered when nobody waited any more
	// Failures are the failed calls by outcome and code.
	Failures []Failures `json:"failures,omitempty"`
	// Codes counts the failed calls that no module answered, by code.
	Codes map[string]uint64 `json:"codes,omitempty"`

	Duration Histogram `json:"duration"` // from the supervisor's taking a call on until its answer had come, or it had failed, once for each call
	Queue    Histogram `json:"queue"`    // the wait for an instance that has room, once for each attempt that was not refused at once
	Handling Histogram `json:"handling"` // from then until the answer, or until nobody waits for it, once for each attempt
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
			Topic: name, Modules: slices.Clone(t.modules), Ready: len(t.offers), Queued: len(t.queue),
			Done: t.counts.done, Retried: t.counts.retried, Late: t.counts.late,
			Duration: t.counts.whole, Queue: t.counts.queue, Handling: t.counts.handling,
		}
		status.fail(t.counts.failures())
		for _, o := range t.offers {
			status.InFlight += o.open
		}
		out = append(out, status)
	}
	return out
}

// fail sets all that follows from the calls that failed.
func (s *TopicStatus) fail(failures []Failures) {
	s.Failures, s.Codes = failures, map[string]uint64{}
	for _, f := range failures {
		s.Failed += f.Calls
		switch f.Outcome {
		case ipc.Done:
			s.Errors += f.Calls
			continue
		case ipc.NotDelivered:
			s.NotDelivered += f.Calls
		default:
			s.Unknown += f.Calls
		}
		s.Codes[f.Code] += f.Calls
	}
	s.Rejected = s.Codes[ipc.CodeBusy]
}

// Refused returns the calls that were refused before they had a topic, by outcome and code: nobody provides it, the caller may not
// have it, too many calls wait for each other, or the supervisor stops. Topics does not count them.
func (s *Supervisor) Refused() []Failures {
	s.router.mu.Lock()
	defer s.router.mu.Unlock()
	return s.router.door.counts.failures()
}

// RemoteStatus is what became of the calls that went to other supervisors.
type RemoteStatus struct {
	Done     uint64     `json:"done"` // answered with a result
	Failures []Failures `json:"failures,omitempty"`
	Duration Histogram  `json:"duration"`
}

// RemoteCalls returns the calls that went to other supervisors since the start. Topics does not count them.
func (s *Supervisor) RemoteCalls() RemoteStatus {
	s.router.mu.Lock()
	defer s.router.mu.Unlock()
	c := &s.router.abroad
	return RemoteStatus{c.done, c.failures(), c.whole}
}

func (u *unit) status() ModuleStatus {
	m := u.m
	out := ModuleStatus{
		Name: m.Name, Version: m.Version, Description: m.Description, Manifest: m.File, Protocol: m.Process.Protocol,
		Provides: slices.Sorted(maps.Keys(m.Services)), Requires: m.Requires.Services, After: slices.Sorted(maps.Keys(m.After)),
		Policy: restartRules(m.Restart),
	}
	out.Remote, out.Publishes, out.Subscribes, out.KV, out.Blobs = m.Requires.Remote, m.Provides.Events, m.Requires.Events, m.Requires.KV, m.Requires.Blobs
	for _, topic := range out.Provides {
		if m.Services[topic].Export {
			out.Exports = append(out.Exports, topic)
		}
	}
	for _, in := range u.list() {
		out.Instances = append(out.Instances, in.status())
	}
	if len(out.Instances) == 0 {
		_, why := u.prospect(time.Time{})
		out.Instances = []InstanceStatus{{Instance: 1, State: Stopped, Why: why, History: u.s.journal.history(place{m.Name, 1})}}
	}
	return out
}

func (in *instance) status() InstanceStatus {
	in.mu.Lock()
	r, p := in.record, in.provider
	in.mu.Unlock()
	out := InstanceStatus{
		Instance: in.id.Instance, State: r.State, Why: r.Why, Since: r.Since, PID: r.PID, SDK: r.SDK, Concurrency: r.Limit,
		Restarts: r.Restarts, LastExit: r.LastExit, Socket: r.Socket, Late: r.Late,
		History: in.s.journal.history(place{in.id.Name, in.id.Instance}),
	}
	if p != nil {
		out.InFlight, _ = in.s.router.load(p, time.Now())
		out.Late += p.talk.Stats().Late
	}
	if !r.ReadyAt.IsZero() {
		out.ReadyAt = &r.ReadyAt
	}
	if !r.NextStart.IsZero() {
		out.NextStart = &r.NextStart
	}
	return out
}
