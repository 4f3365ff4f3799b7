package ipc

import (
	"encoding/json"
	"time"
)

// The types of an Envelope.
const (
	TypeInit            = "init"
	TypeHandle          = "handle"
	TypeHealthCheck     = "health_check"
	TypeShutdown        = "shutdown"
	TypeEvent           = "event"
	TypeCancel          = "cancel"
	TypeResponse        = "response"
	TypeServiceRequest  = "service_request"
	TypeServiceResponse = "service_response"
)

// The two values of an answer's status.
const (
	StatusSuccess = "success"
	StatusError   = "error"
)

// The extensions spoken here: docs/protocol.md, "Extensions".
const (
	ExtCancel = "cancel" // either side may cancel a request it has sent
	ExtRaw    = "raw"    // payloads may travel as they are
)

// Version is the highest protocol version this package speaks.
const Version = 1

// maxID is the largest id: the largest integer that every JSON implementation keeps exactly.
const maxID = 1<<53 - 1

// Envelope is the one JSON object of a frame. Which members are used depends on Type (docs/protocol.md, "Messages").
// A decoder ignores members it does not know.
type Envelope struct {
	Type string `json:"type"`
	ID   int64  `json:"id,omitempty"` // absent: a notification

	Protocol   int             `json:"protocol,omitempty"`   // init
	ModuleID   string          `json:"module_id,omitempty"`  // init
	Config     json.RawMessage `json:"config,omitempty"`     // init
	Extensions []string        `json:"extensions,omitempty"` // init
	MaxFrame   int             `json:"max_frame,omitempty"`  // init

	Message *Message  `json:"message,omitempty"` // handle, event
	Context *Context  `json:"context,omitempty"` // handle, event, service_request
	Event   *Delivery `json:"event,omitempty"`   // event

	GraceMS int64 `json:"grace_ms,omitempty"` // shutdown

	Service string `json:"service,omitempty"` // service_request
	Method  string `json:"method,omitempty"`  // service_request
	Params  Data   `json:"params,omitzero"`   // service_request
	TTLMS   int64  `json:"ttl_ms,omitempty"`  // service_request
	Parent  int64  `json:"parent,omitempty"`  // service_request: the open handle it belongs to

	Status string `json:"status,omitempty"` // response, service_response
	Data   Data   `json:"data,omitzero"`    // response, service_response
	Error  *Error `json:"error,omitempty"`  // response, service_response
}

// TTL is the time that was left for the request when it was written; 0 means no limit was named.
func (e *Envelope) TTL() time.Duration {
	if e.Message != nil {
		return duration(e.Message.TTLMS)
	}
	return duration(e.TTLMS)
}

// answers reports whether the envelope answers a request of this side.
func (e *Envelope) answers() bool { return e.Type == TypeResponse || e.Type == TypeServiceResponse }

// frameOverhead is what an id adds to a body at most.
const frameOverhead = len(`{"id":9007199254740991,`)
