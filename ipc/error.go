package ipc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Outcome says what is known about a call after it ended. A caller decides by it whether repeating the call is safe.
type Outcome string

// The three outcomes of a call.
const (
	// Done: the module received the call and answered it, with a result or with an error of its own.
	Done Outcome = "done"
	// NotDelivered: no module ever saw the call; repeating it is safe.
	NotDelivered Outcome = "not_delivered"
	// Unknown: the call was written to a module and no answer came; it may or may not have taken effect.
	Unknown Outcome = "unknown"
)

// The error codes of the wire. A module may use any other code in its own answers; the codes up to CodeProtocolError
// have their meaning only when the supervisor is the origin.
const (
	CodeNoProvider    = "NO_PROVIDER"     // nobody provides the topic
	CodeUnavailable   = "UNAVAILABLE"     // providers exist, none was ready before the deadline
	CodeBusy          = "BUSY"            // a bounded queue is full; RetryAfter says when to try again
	CodeTTLExpired    = "TTL_EXPIRED"     // the deadline passed before the call was written to a module
	CodeTimeout       = "TIMEOUT"         // written, no answer in time
	CodeCancelled     = "CANCELLED"       // the caller gave up
	CodeModuleGone    = "MODULE_GONE"     // the instance died with the call in flight
	CodeQuarantined   = "QUARANTINED"     // this payload was in flight at several crashes
	CodeFrameTooLarge = "FRAME_TOO_LARGE" // the frame exceeds the peer's max_frame
	CodeDenied        = "DENIED"          // the caller's manifest does not allow the topic or service
	CodeLoop          = "LOOP"            // the call would wait for itself, or is nested too deep
	CodeProtocolError = "PROTOCOL_ERROR"  // the peer broke the wire with the call in flight

	CodeNotFound = "NOT_FOUND" // a host service has no such key, blob or subscription
	CodeConflict = "CONFLICT"  // the key's revision is another than the one named
	CodeTooLarge = "TOO_LARGE" // more than a host service takes

	CodeUnknownType         = "UNKNOWN_TYPE"         // a request of a type the peer does not know
	CodeUnknownTopic        = "UNKNOWN_TOPIC"        // the module does not serve the topic it was sent
	CodeInvalidInput        = "INVALID_INPUT"        // the payload is not what the handler expects
	CodeHandlerError        = "HANDLER_ERROR"        // the handler failed without a code of its own
	CodeHandlerPanic        = "HANDLER_PANIC"        // the handler panicked; the module lives on
	CodeInitFailed          = "INIT_FAILED"          // Init failed without a code of its own; a failed start
	CodeConfigInvalid       = "CONFIG_INVALID"       // Init refused its configuration; not retried until that changes
	CodeUnsupportedProtocol = "UNSUPPORTED_PROTOCOL" // the module speaks no protocol version the host offers
)

// outcomes holds what a code means for the call when the supervisor is its origin.
var outcomes = map[string]Outcome{
	CodeNoProvider:    NotDelivered,
	CodeUnavailable:   NotDelivered,
	CodeBusy:          NotDelivered,
	CodeTTLExpired:    NotDelivered,
	CodeQuarantined:   NotDelivered,
	CodeFrameTooLarge: NotDelivered,
	CodeDenied:        NotDelivered,
	CodeLoop:          NotDelivered,
	CodeNotFound:      NotDelivered,
	CodeConflict:      NotDelivered,
	CodeTooLarge:      NotDelivered,
	CodeTimeout:       Unknown,
	CodeCancelled:     Unknown,
	CodeModuleGone:    Unknown,
	CodeProtocolError: Unknown,
}

// Origins of an error that are not a module's id.
const (
	Supervisor = "supervisor" // the supervisor itself produced it
	FromModule = "module"     // a module's answer, before the supervisor has put in which
)

// Error is the one error type of ixt, on the wire and in Go.
//
// Outcome and Origin are set by the supervisor alone: what a module puts there is overwritten before a caller sees it.
type Error struct {
	Code       string          // one of the codes above, or the module's own
	Message    string          // one sentence for a person, with the remedy where there is one
	Details    json.RawMessage // a JSON object, or nil
	RetryAfter time.Duration   // when a repeat may succeed; 0 if nothing is known
	Outcome    Outcome         // what is known about the call; "" until the supervisor has decided
	Origin     string          // Supervisor, or the module id that answered; "" until the supervisor has decided
}

// Errorf returns an Error with a code and a formatted message, and the outcome that the code has when the supervisor uses it.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Outcome: outcomes[code]}
}

// Refuse returns an Error of the supervisor's own, whatever the code: no module has seen what was asked, and nothing has been done.
func Refuse(code, format string, args ...any) *Error {
	e := Errorf(code, format, args...)
	e.Outcome, e.Origin = NotDelivered, Supervisor
	return e
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Is makes errors.Is(err, &Error{Code: CodeBusy}) compare by code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// OutcomeOf returns what is known about the call that returned err: Done for nil, the Outcome of an *Error, and Unknown
// for every other error, because an unexplained failure proves nothing.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Done
	}
	var e *Error
	if errors.As(err, &e) && e.Outcome != "" {
		return e.Outcome
	}
	return Unknown
}

// AsError turns any error into an *Error without losing one that is already there: a context's end becomes CANCELLED or
// TIMEOUT, everything else gets the fallback code.
func AsError(err error, fallback string) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return Errorf(CodeTimeout, "%v", err)
	case errors.Is(err, context.Canceled):
		return Errorf(CodeCancelled, "%v", err)
	}
	return Errorf(fallback, "%v", err)
}

// wireError is the JSON form of an Error.
type wireError struct {
	Code         string          `json:"code"`
	Message      string          `json:"message"`
	Details      json.RawMessage `json:"details,omitempty"`
	RetryAfterMS int64           `json:"retry_after_ms,omitempty"`
	Outcome      Outcome         `json:"outcome,omitempty"`
	Origin       string          `json:"origin,omitempty"`
}

// MarshalJSON writes the error as docs/protocol.md, "Errors", has it.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireError{e.Code, e.Message, e.Details, Milliseconds(e.RetryAfter), e.Outcome, e.Origin})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Error) UnmarshalJSON(b []byte) error {
	var w wireError
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*e = Error{w.Code, w.Message, w.Details, duration(w.RetryAfterMS), w.Outcome, w.Origin}
	return nil
}

// ProtocolError says how a peer broke the wire. It ends the connection, and that connection only.
type ProtocolError struct {
	Reason string
	Head   []byte // the first bytes of the offending frame, for a crash report; at most 256
}

func (e *ProtocolError) Error() string { return "protocol error: " + e.Reason }

func protocolError(frame []byte, format string, args ...any) *ProtocolError {
	return &ProtocolError{Reason: fmt.Sprintf(format, args...), Head: append([]byte(nil), frame[:min(len(frame), 256)]...)}
}

// IsCode reports whether err is an *Error with the code.
func IsCode(err error, code string) bool { return errors.Is(err, &Error{Code: code}) }

// IsFromModule reports whether err is an *Error that a module has answered.
func IsFromModule(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Origin == FromModule
}
