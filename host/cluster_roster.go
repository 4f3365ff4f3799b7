package host

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// The heartbeat by which supervisors know of each other.
const (
	beatEvery = time.Second
	sightTime = 3 * beatEvery // whoever is not heard for so long is gone
	echoTime  = 5 * beatEvery // a server that has not brought back one's own for so long cannot be reached
)

// beat is what a supervisor says of itself every beatEvery.
type beat struct {
	Node    string           `json:"node"`
	ID      string           `json:"id"`      // of this run of the supervisor
	Serving bool             `json:"serving"` // it has the name, and takes calls; otherwise it looks whether it may
	Leaving bool             `json:"leaving,omitempty"`
	Version string           `json:"version,omitempty"` // of the program
	Started time.Time        `json:"started"`
	Topics  map[string]offer `json:"topics,omitempty"` // those that are exported and ready
}

// offer is what others need to know of an exported topic.
type offer struct {
	Modules    []string `json:"modules"` // name:version
	Idempotent bool     `json:"idempotent,omitempty"`
	Attempts   int      `json:"attempts,omitempty"`
}

// takes reports whether a call for target, as in supervisor.RemoteCall, has somebody to go to.
func (o offer) takes(target string) bool {
	module, _, _ := strings.Cut(target, "/")
	return target == "" || slices.ContainsFunc(o.Modules, func(id string) bool {
		name, _, _ := strings.Cut(id, ":")
		return module == id || module == name
	})
}

// member is a supervisor that is heard.
type member struct {
	beat
	seen  time.Time     // guarded by the roster
	spoke time.Time     // when it was heard in fact; seen may be later
	gone  chan struct{} // closed when it is heard no more
}

// before reports whether m has the older right to its name.
func (b *beat) before(other *beat) bool {
	if !b.Started.Equal(other.Started) {
		return b.Started.Before(other.Started)
	}
	return b.ID < other.ID
}

// roster is who is heard, this supervisor too. It is safe for concurrent use.
type roster struct {
	mu       sync.Mutex
	members  map[string]*member // by id
	departed departed
	news     chan struct{} // closed and replaced with every heartbeat
}

// tidings are what a heartbeat changes.
type tidings struct {
	isNew  bool    // somebody has come who should hear of this supervisor
	joined *member // serves from now on
	left   []*member
}

// hear takes a heartbeat.
func (r *roster) hear(data []byte, now time.Time) (t tidings) {
	var b beat
	if json.Unmarshal(data, &b) != nil || b.ID == "" {
		return t // of something else that uses the subject
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.members[b.ID]
	if b.Leaving {
		if old != nil {
			t.left = r.drop(old, NodeStopped)
		}
		return t
	}
	m := &member{beat: b, seen: now, spoke: now, gone: make(chan struct{})}
	if old != nil {
		m.gone = old.gone
	}
	r.members[b.ID] = m
	close(r.news)
	r.news = make(chan struct{})
	if t.isNew = old == nil; !b.Serving {
		return t
	}
	if old == nil || !old.Serving {
		t.joined = m
	}
	for _, other := range r.members { // a successor serves only when its predecessor does not
		if other.Node == b.Node && other.ID != b.ID && other.Serving && other.before(&b) && now.Sub(other.seen) > beatEvery+beatEvery/2 {
			t.left = append(t.left, r.drop(other, NodeGone)...)
		}
	}
	return t
}

// next is closed with the next heartbeat of anybody.
func (r *roster) next() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.news
}

// drop takes a member off the roster. r.mu is held.
func (r *roster) drop(m *member, how string) []*member {
	delete(r.members, m.ID)
	r.departed.add(m, how)
	close(m.gone)
	return []*member{m}
}

// expire forgets those who have not been heard for sightTime, but for one.
func (r *roster) expire(now time.Time, but string) (left []*member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range slices.Collect(maps.Values(r.members)) {
		if m.ID != but && now.Sub(m.seen) >= sightTime {
			left = append(left, r.drop(m, NodeGone)...)
		}
	}
	return left
}

// pardon counts everybody as heard now: nobody could be while the connection was down.
func (r *roster) pardon(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		m.seen = now
	}
}

// heard is when somebody was heard last; the zero time: never.
func (r *roster) heard(id string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.members[id]; m != nil {
		return m.seen
	}
	return time.Time{}
}

// rival is another supervisor that has the better right to the name of b; nil if there is none.
func (r *roster) rival(b *beat) *member {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m.Node == b.Node && m.ID != b.ID && m.Serving && (!b.Serving || m.before(b)) {
			return m
		}
	}
	return nil
}

// others are the supervisors that serve under other names than node, by name.
func (r *roster) others(node string) []*member {
	r.mu.Lock()
	defer r.mu.Unlock()
	latest := map[string]*member{} // a name may have changed hands a moment ago
	for _, m := range r.members {
		if old := latest[m.Node]; m.Serving && m.Node != node && (old == nil || old.before(&m.beat)) {
			latest[m.Node] = m
		}
	}
	return slices.SortedFunc(maps.Values(latest), func(a, b *member) int { return strings.Compare(a.Node, b.Node) })
}

// offering are those of the others that a call may go to now; node "" is any.
func (r *roster) offering(self, topic, node, target string) []*member {
	return slices.DeleteFunc(r.others(self), func(m *member) bool {
		offer, ok := m.Topics[topic]
		return !ok || node != "" && m.Node != node || !offer.takes(target)
	})
}

// named is the one of the others that serves under a name; nil if none does.
func (r *roster) named(self, node string) *member {
	for _, m := range r.others(self) {
		if m.Node == node {
			return m
		}
	}
	return nil
}
