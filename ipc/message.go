package ipc

import (
	"encoding/json"
	"time"
)

// Message is what a caller sends to a topic.
type Message struct {
	Topic    string   `json:"topic"`
	Payload  Payload  `json:"payload,omitzero"`
	Priority Priority `json:"priority"`
	TTLMS    int64    `json:"ttl_ms,omitempty"` // time left when the frame was written, in ms; 0: no limit was named
}

// Context tells a handler about the call it serves.
type Context struct {
	TraceID      string `json:"trace_id,omitempty"`      // W3C trace id (32 hex digits) unless the caller gave its own
	SourceModule string `json:"source_module,omitempty"` // name:version of the caller, or "host"
	Timestamp    int64  `json:"timestamp,omitempty"`     // when the call was accepted, Unix seconds
	CallID       string `json:"call_id,omitempty"`       // unique per call, the same on a retry
	Attempt      int    `json:"attempt,omitempty"`       // from 1
}

// Delivery says on whose account an event comes, and how it stands in the row of them: docs/host-services.md, "Delivery".
type Delivery struct {
	Subscription string `json:"subscription"`       // as the host named it when it was made
	Seq          uint64 `json:"seq"`                // counts the events of the subscription, from 1
	Lost         uint64 `json:"lost,omitempty"`     // events dropped since the one before, because they came faster than they were handled
	Op           string `json:"op,omitempty"`       // of a change of a key: OpSet or OpDelete
	Revision     uint64 `json:"revision,omitempty"` // of the key
}

// What happened to a key.
const (
	OpSet    = "set"
	OpDelete = "delete"
)

// Event is something published, on its way to one who has subscribed to it. The message's topic and payload and the context's
// trace id, source, timestamp and attempt are those of the event.
type Event struct {
	Delivery
	Message Message `json:"message"`
	Context Context `json:"context"`
}

// Priority orders waiting calls, higher first. The zero value is Normal.
type Priority int8

// The four priorities. On the wire they are 0, 1, 2 and 3.
const (
	Low    Priority = -1
	Normal Priority = 0
	High   Priority = 1
	Urgent Priority = 2
)

// MarshalJSON writes the wire's number, one above the Go value.
func (p Priority) MarshalJSON() ([]byte, error) { return json.Marshal(int(p.clamp()) + 1) }

// UnmarshalJSON reads the wire's number; one out of range counts as the nearest.
func (p *Priority) UnmarshalJSON(b []byte) error {
	n := int64(Normal) + 1 // null is as good as absent
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	*p = Priority(min(max(n, 0), 3) - 1)
	return nil
}

func (p Priority) clamp() Priority { return min(max(p, Low), Urgent) }

// InitParams is what the host tells a module in init.
type InitParams struct {
	Protocol   int             // the highest version the host speaks
	ModuleID   string          // name:version/instance-001
	Config     json.RawMessage // the effective configuration, an object
	Extensions []string        // what the host can do beyond the base protocol
	MaxFrame   int             // in bytes, both directions
}

// InitResult is a module's answer to init. The zero value is the simplest module: protocol 1, no extensions, serial.
type InitResult struct {
	Protocol       int      `json:"protocol,omitempty"`        // the version used from here on; 0: 1
	SDK            string   `json:"sdk,omitempty"`             // name/version of the SDK, for people
	Extensions     []string `json:"extensions,omitempty"`      // a subset of those offered
	MaxConcurrency int      `json:"max_concurrency,omitempty"` // handles at once; 0: one, and the module is serial
}

// encode returns the JSON of r; false if that is not usual.
func (r *InitResult) encode() (json.RawMessage, bool) {
	a := appender{out: make([]byte, 0, 128)}
	a.raw(`{`)
	a.number(`,"protocol":`, int64(r.Protocol))
	a.text(`,"sdk":`, r.SDK)
	a.texts(`,"extensions":`, r.Extensions)
	a.number(`,"max_concurrency":`, int64(r.MaxConcurrency))
	a.raw(`}`)
	return a.out, !a.unusual
}

// Health is a module's answer to health_check. Ready false takes the instance out of routing and restarts nothing;
// Healthy false counts towards a restart.
type Health struct {
	Healthy bool
	Ready   bool
	Reason  string
	Extra   map[string]any // any further keys the module reports
}

// MarshalJSON writes Extra's keys beside the three known ones.
func (h Health) MarshalJSON() ([]byte, error) {
	all := make(map[string]any, len(h.Extra)+3)
	for k, v := range h.Extra {
		all[k] = v
	}
	all["healthy"], all["ready"] = h.Healthy, h.Ready
	if h.Reason != "" {
		all["reason"] = h.Reason
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads a health answer; absent members mean healthy and ready.
func (h *Health) UnmarshalJSON(b []byte) error {
	known := struct {
		Healthy *bool  `json:"healthy"`
		Ready   *bool  `json:"ready"`
		Reason  string `json:"reason"`
	}{}
	if err := json.Unmarshal(b, &known); err != nil {
		return err
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for _, k := range []string{"healthy", "ready", "reason"} {
		delete(all, k)
	}
	*h = Health{known.Healthy == nil || *known.Healthy, known.Ready == nil || *known.Ready, known.Reason, all}
	return nil
}

// Milliseconds is a time left as frames tell it: rounded up, so that a short one never becomes "no limit", which 0 is.
func Milliseconds(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64((d-1)/time.Millisecond) + 1
}

// duration is the inverse of Milliseconds; a number too large for a Duration becomes the largest there is.
func duration(ms int64) time.Duration {
	const longest = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(ms, 0), longest)) * time.Millisecond
}
