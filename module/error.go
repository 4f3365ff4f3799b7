package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ixtrun/ixt/ipc"
)

// Error is the one error type of calls, both what a handler answers with and what Host's methods return.
// errors.Is(err, &Error{Code: CodeBusy}) compares by code.
type Error = ipc.Error

// Errorf returns an *Error with a code of your own or one of those below. Codes are UPPER_SNAKE_CASE.
func Errorf(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// The codes that authors return or look for; docs/protocol.md, "Errors", has them all.
const (
	CodeInvalidInput  = ipc.CodeInvalidInput  // the payload is not what the handler expects
	CodeUnknownTopic  = ipc.CodeUnknownTopic  // the module does not serve the topic
	CodeHandlerError  = ipc.CodeHandlerError  // a handler's error without a code of its own
	CodeConfigInvalid = ipc.CodeConfigInvalid // from Init: retrying cannot help
	CodeNoProvider    = ipc.CodeNoProvider    // from Host.Call: nobody provides the topic
	CodeUnavailable   = ipc.CodeUnavailable   // from Host.Call: providers exist, none was ready in time
	CodeBusy          = ipc.CodeBusy          // from Host.Call: a queue is full; see Error.RetryAfter
	CodeDenied        = ipc.CodeDenied        // from Host: the manifest does not allow it; the text has the line to paste
	CodeTimeout       = ipc.CodeTimeout       // from Host.Call: no answer in time
	CodeNotFound      = ipc.CodeNotFound      // from KV and Blobs: there is no such key, blob or subscription
	CodeConflict      = ipc.CodeConflict      // from KV: the key has another revision than the one named
	CodeTooLarge      = ipc.CodeTooLarge      // from Host: a value or an event over 1 MiB
)

// IsNotFound reports whether err says that there is no such key, blob or subscription.
func IsNotFound(err error) bool { return errors.Is(err, &Error{Code: CodeNotFound}) }

// IsConflict reports whether err says that a key has another revision than the one named: somebody else was faster.
func IsConflict(err error) bool { return errors.Is(err, &Error{Code: CodeConflict}) }

// Outcome says what is known about a call after it ended.
type Outcome = ipc.Outcome

// The three outcomes of a call.
const (
	Done         = ipc.Done         // it was answered, with a result or an error
	NotDelivered = ipc.NotDelivered // no module ever saw it; repeating it is safe
	Unknown      = ipc.Unknown      // it may or may not have taken effect
)

// OutcomeOf returns what is known about the call that returned err: Done for nil, Unknown for an error that is no *Error.
func OutcomeOf(err error) Outcome { return ipc.OutcomeOf(err) }

// answerError turns what an author's code returned into the error that goes to the caller. Outcome and Origin are the
// supervisor's to decide; those of a failed call of our own, which the author passes on, are kept under details.cause.
func answerError(err error, fallback string) *Error {
	var cause *Error
	if !errors.As(err, &cause) {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return bare(ipc.AsError(err, fallback))
		}
		return bare(ipc.Errorf(fallback, "%v", err))
	}
	answer := bare(cause)
	if err != error(cause) {
		answer.Message = err.Error() // what the author wrapped around it belongs to the story
	}
	if cause.Origin != "" {
		if details, err := json.Marshal(map[string]*Error{"cause": cause}); err == nil {
			answer.Details = details
		}
	}
	return answer
}

func bare(e *Error) *Error {
	return &Error{Code: e.Code, Message: e.Message, Details: e.Details, RetryAfter: e.RetryAfter}
}

// isNested reports whether err is the failure of a call of our own.
func isNested(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Origin != ""
}
