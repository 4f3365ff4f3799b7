package host

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/ipc"
)

// explain turns an error of the engine into one for a module. what says what was tried, as "publishing on plc.l7.temp". write
// says that it changes something: if the engine's answer is missing, nobody knows whether it has, and the outcome is unknown.
// An error that is an *ipc.Error already stays what it is.
func explain(err error, what string, write bool) *ipc.Error {
	var known *ipc.Error
	if errors.As(err, &known) {
		return known
	}
	code, why := classify(err)
	if write && cutOff(err) {
		code, why = ipc.CodeTimeout, "the engine went away before it had answered"
	}
	if code == ipc.CodeTimeout && !write {
		code = ipc.CodeUnavailable
	}
	e := ipc.Refuse(code, "%s: %s", what, why)
	if write && (code == ipc.CodeTimeout || code == ipc.CodeCancelled) {
		e.Outcome = ipc.Unknown
	}
	return e
}

// tooLarge says of a message that was not sent because of its size what that may be.
func tooLarge(conn *nats.Conn, err error) error {
	if !errors.Is(err, nats.ErrMaxPayload) {
		return err
	}
	return ipc.Refuse(ipc.CodeTooLarge, "with its headers it is more than the %d bytes that the NATS server takes, its max_payload; raise that, or put it into a blob, which is sent in parts of %d KiB",
		conn.MaxPayload(), partSize>>10)
}

// cutOff reports whether a connection ended in the middle: what was asked may have been done.
func cutOff(err error) bool {
	for _, e := range []error{nats.ErrDisconnected, nats.ErrConnectionClosed, jetstream.ErrConnectionClosed, nats.ErrStaleConnection} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Codes of JetStream that its client has no names for.
const (
	insufficientResources = 10023
	storageExceeded       = 10047
	memoryExceeded        = 10028
)

func classify(err error) (code, why string) {
	is := func(these ...error) bool {
		for _, e := range these {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
	var api *jetstream.APIError
	switch {
	case is(nats.ErrMaxPayload, jetstream.ErrStreamMessageExceedsMaximum, jetstream.ErrMaxBytesExceeded):
		return ipc.CodeTooLarge, "it is more than the engine takes"
	case is(nats.ErrNoResponders, jetstream.ErrNoStreamResponse, jetstream.ErrJetStreamNotEnabled, jetstream.ErrJetStreamNotEnabledForAccount):
		return ipc.CodeUnavailable, "the NATS server keeps nothing now; is its JetStream on (nats-server -js)?"
	case is(nats.ErrReconnectBufExceeded, nats.ErrDisconnected, nats.ErrConnectionReconnecting, nats.ErrConnectionClosed,
		jetstream.ErrConnectionClosed, jetstream.ErrServerShutdown, nats.ErrNoServers, nats.ErrConnectionDraining):
		return ipc.CodeUnavailable, "the engine cannot be reached now"
	case is(context.DeadlineExceeded, nats.ErrTimeout):
		return ipc.CodeTimeout, "the engine has not answered in time"
	case is(context.Canceled):
		return ipc.CodeCancelled, "the caller gave up"
	case is(nats.ErrPermissionViolation, nats.ErrAuthorization):
		return ipc.CodeUnavailable, "the NATS server does not allow it to this user: " + err.Error()
	case errors.As(err, &api) && (api.ErrorCode == insufficientResources || api.ErrorCode == storageExceeded || api.ErrorCode == memoryExceeded):
		return ipc.CodeUnavailable, "the engine's store is full: " + err.Error()
	}
	return ipc.CodeUnavailable, err.Error()
}
