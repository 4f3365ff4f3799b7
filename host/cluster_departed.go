package host

import (
	"slices"
	"time"
)

// What becomes of a node that is not there any more, as NodeStatus.Gone has it.
const (
	NodeGone    = "gone"    // its heartbeats ended: it died, or is cut off
	NodeStopped = "stopped" // it took leave
)

// The bounds of what is remembered of nodes that are not there any more; the oldest goes first.
const (
	departedTime = time.Hour
	maxDeparted  = 256
)

// departure is a node that is not there any more.
type departure struct {
	*member
	how string
}

// departed are those that have served under a name and left, the oldest first. The roster's lock guards it.
type departed []departure

// add remembers a member.
func (d *departed) add(m *member, how string) {
	if !m.Serving {
		return
	}
	kept := slices.DeleteFunc(*d, func(old departure) bool { return old.Node == m.Node })
	*d = append(kept, departure{m, how})[max(0, len(kept)+1-maxDeparted):]
}

// missing are the nodes that have left within departedTime, and whose names nobody has now.
func (r *roster) missing(self string, now time.Time) (out []departure) {
	present := map[string]bool{self: true}
	for _, m := range r.others(self) {
		present[m.Node] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.departed = slices.DeleteFunc(r.departed, func(d departure) bool { return now.Sub(d.spoke) > departedTime })
	for _, d := range r.departed {
		if !present[d.Node] {
			out = append(out, d)
		}
	}
	return out
}
