package crash

import (
	"fmt"
	"strings"
	"time"

	"github.com/ixtrun/ixt/internal/logs"
)

// Head is what a list shows of a report.
type Head struct {
	ID       string    `json:"id"`   // such as "0042-press"; given by the store
	Time     time.Time `json:"time"` // when the process ended, or could not be started
	Module   string    `json:"module"`
	Version  string    `json:"version,omitempty"`
	Instance int       `json:"instance"`      // from 1
	PID      int       `json:"pid,omitempty"` // 0: there was no process
	Cause    Cause     `json:"cause"`
	Why      string    `json:"why"`       // one sentence
	UptimeMS int64     `json:"uptime_ms"` // from spawn to end; 0: there was no process
	InFlight int       `json:"in_flight"` // calls it had; given by the store
	// Damaged says why the report's file cannot be read; only ID and Module are known then.
	Damaged string `json:"damaged,omitempty"`
}

// Report is all that is known of one abnormal end.
type Report struct {
	Head
	SDK         string    `json:"sdk,omitempty"` // as the module named it in init
	SpawnedAt   time.Time `json:"spawned_at,omitzero"`
	ReadyAt     time.Time `json:"ready_at,omitzero"` // zero: it never was
	MaxRSSBytes int64     `json:"max_rss_bytes"`     // peak resident memory
	CPUUserMS   int64     `json:"cpu_user_ms"`       // processor time in the program
	CPUSystemMS int64     `json:"cpu_system_ms"`     // processor time in the kernel on its behalf
	Restarts    int       `json:"restarts"`          // of the instance so far
	Decision    string    `json:"decision"`          // what the restart policy made of it, one sentence
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	// Panic is what the program said of its own end, as [PanicText] finds it.
	Panic string `json:"panic,omitempty"`
	// Dump is where its threads stood when it was asked because it hung.
	Dump  string       `json:"dump,omitempty"`
	Calls []Call       `json:"calls"` // in flight, the oldest first; at most 100 of InFlight
	Lines []logs.Entry `json:"lines"` // the last 100 of its log
}

// Kind is a sort of cause, by the name that restart.on has for it.
type Kind string

// The kinds of causes.
const (
	KindExit     Kind = "exit"     // it exited by itself
	KindSignal   Kind = "signal"   // a signal that was not the supervisor's ended it
	KindOOM      Kind = "oom"      // the system killed it for lack of memory
	KindHealth   Kind = "health"   // the watchdog found it sick or hung
	KindProtocol Kind = "protocol" // it broke the wire
	KindClosed   Kind = "closed"   // it closed its connection and lived on
	KindStart    Kind = "start"    // it could not be started, or not in time
	KindConfig   Kind = "config"   // its init refused the configuration
	KindBuild    Kind = "build"    // it could not be built
)

// Cause is why a process ended. Code and Signal say how, whatever the kind.
type Cause struct {
	Kind   Kind   `json:"kind"`
	Code   int    `json:"code"`             // of its exit; -1: a signal ended it, or there was no process
	Signal string `json:"signal,omitempty"` // that ended it, such as "SIGSEGV"
	Text   string `json:"text,omitempty"`   // what exactly was wrong, where the kind does not say it all
	// FrameHead is the beginning of the frame that broke the wire, as [FrameHead] writes it.
	FrameHead string `json:"frame_head,omitempty"`
}

// String is the closest name that restart.on has for the cause: "exit 3", "SIGSEGV", "oom", "health".
func (c Cause) String() string {
	switch {
	case c.Kind == KindExit:
		return fmt.Sprintf("exit %d", c.Code)
	case c.Kind == KindSignal && c.Signal != "":
		return c.Signal
	}
	return string(c.Kind)
}

// Call is one call that a process had when it ended.
type Call struct {
	Topic         string `json:"topic"`
	CallID        string `json:"call_id"`
	TraceID       string `json:"trace_id"`
	AgeMS         int64  `json:"age_ms"`  // since it was accepted
	Attempt       int    `json:"attempt"` // from 1
	PayloadBytes  int64  `json:"payload_bytes"`
	PayloadSHA256 string `json:"payload_sha256"` // of the decoded payload, in hex, as sha256sum prints it
}

// FrameHead is the beginning of a frame as text: at most 256 bytes of it, what is not printable escaped as in Go.
func FrameHead(frame []byte) string {
	parts := strings.Split(string(frame[:min(len(frame), maxFrameHead)]), `"`) // which a frame is full of, and needs no escape
	for i, part := range parts {
		quoted := fmt.Sprintf("%q", part)
		parts[i] = quoted[1 : len(quoted)-1]
	}
	return strings.Join(parts, `"`)
}
