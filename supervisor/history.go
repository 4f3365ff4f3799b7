package supervisor

import (
	"maps"
	"strings"
)

// History is how often an instance has been restarted, and why, since the supervisor started. It belongs to the instance's number:
// unlike the instance, it outlives a stop by command.
type History struct {
	Restarts      map[string]uint64 `json:"restarts,omitempty"`       // by cause: "exit" whatever the code, "SIGSEGV", "health", "asked" ...
	WatchdogKills uint64            `json:"watchdog_kills,omitempty"` // ends because it was found sick or hung
	GaveUp        uint64            `json:"gave_up,omitempty"`        // failures after which it was not tried again at once
}

// place is an instance by its number.
type place struct {
	module   string
	instance int
}

// causeAsked is the cause of a restart that a person or another module's end asked for.
const causeAsked = "asked"

// closest is what an entry names as the cause of an end.
func (e ending) closest() string {
	if e.wanted || len(e.cause) == 0 {
		return causeAsked
	}
	return e.cause[0]
}

// count draws from an entry what it says of its instance's history. The journal's lock is held.
func (j *Journal) count(e Entry) {
	j.counts[e.Kind]++
	if e.Cause == "" {
		return
	}
	at := place{e.Module, e.Instance}
	h := j.histories[at]
	if h == nil {
		h = &History{Restarts: map[string]uint64{}}
		j.histories[at] = h
	}
	if e.State == Starting {
		cause := e.Cause
		if strings.HasPrefix(cause, "exit ") { // 256 of them would be too many to tell apart
			cause = "exit"
		}
		h.Restarts[cause]++
		return
	}
	if e.Cause == causeHealth {
		h.WatchdogKills++
	}
	if e.State == Failed {
		h.GaveUp++
	}
}

// Counts returns how many entries of each kind there have been, those that are forgotten too.
func (j *Journal) Counts() map[Kind]uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.counts)
}

func (j *Journal) history(at place) History {
	j.mu.Lock()
	defer j.mu.Unlock()
	h := j.histories[at]
	if h == nil {
		return History{}
	}
	return History{maps.Clone(h.Restarts), h.WatchdogKills, h.GaveUp}
}
