package ipc

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
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

// ExtCancel is the extension by which either side may cancel a request it has sent.
const ExtCancel = "cancel"

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

	Service string          `json:"service,omitempty"` // service_request
	Method  string          `json:"method,omitempty"`  // service_request
	Params  json.RawMessage `json:"params,omitempty"`  // service_request, an object
	TTLMS   int64           `json:"ttl_ms,omitempty"`  // service_request
	Parent  int64           `json:"parent,omitempty"`  // service_request: the open handle it belongs to

	Status string          `json:"status,omitempty"` // response, service_response
	Data   json.RawMessage `json:"data,omitempty"`   // response, service_response: an object
	Error  *Error          `json:"error,omitempty"`  // response, service_response
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

// decodeEnvelope reads one frame's JSON. Every error is a *ProtocolError.
func decodeEnvelope(frame []byte) (*Envelope, error) {
	if !utf8.Valid(frame) {
		return nil, protocolError(frame, "a frame is not UTF-8")
	}
	if trimmed := bytes.TrimLeft(frame, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, protocolError(frame, "a frame is not a JSON object")
	}
	var e Envelope
	if err := json.Unmarshal(frame, &e); err != nil {
		return nil, protocolError(frame, "a frame cannot be decoded: %v", err)
	}
	switch {
	case e.Type == "":
		return nil, protocolError(frame, "a frame has no type")
	case e.ID < 0 || e.ID > maxID:
		return nil, protocolError(frame, "id %d is outside 1 .. 2^53-1", e.ID)
	case e.ID == 0 && (e.answers() || e.Type == TypeCancel):
		return nil, protocolError(frame, "a %s has no id", e.Type)
	}
	return &e, nil
}

// encodeEnvelope returns the frame's JSON without its id, which a request gets only when it is written (appendFrame):
// ids must grow in the order of the frames, and urgent frames overtake others in the queue.
func encodeEnvelope(e *Envelope) ([]byte, error) {
	body := *e
	body.ID = 0
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&body); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// appendFrame appends length, id and body as one frame; id 0 writes none.
func appendFrame(dst, body []byte, id int64) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if id != 0 {
		dst = append(dst, `{"id":`...)
		dst = strconv.AppendInt(dst, id, 10)
		dst = append(dst, ',')
		body = body[1:]
	}
	dst = append(dst, body...)
	putLength(dst[start:], len(dst)-start-headerSize)
	return dst
}

// frameOverhead is what appendFrame adds to a body at most, apart from the length prefix.
const frameOverhead = len(`{"id":9007199254740991,`)
