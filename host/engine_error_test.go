package host_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
)

// A write that may have been done is never said not to have been.
func TestWhatAnErrorOfTheEngineMeans(t *testing.T) {
	for _, tt := range []struct {
		err     error
		write   bool
		code    string
		outcome ipc.Outcome
	}{
		{nats.ErrDisconnected, true, ipc.CodeTimeout, ipc.Unknown}, // what waited for an answer when the connection ended
		{nats.ErrConnectionClosed, true, ipc.CodeTimeout, ipc.Unknown},
		{nats.ErrTimeout, true, ipc.CodeTimeout, ipc.Unknown},
		{context.DeadlineExceeded, true, ipc.CodeTimeout, ipc.Unknown},
		{context.Canceled, true, ipc.CodeCancelled, ipc.Unknown},
		{nats.ErrReconnectBufExceeded, true, ipc.CodeUnavailable, ipc.NotDelivered}, // nothing was sent
		{nats.ErrNoResponders, true, ipc.CodeUnavailable, ipc.NotDelivered},
		{nats.ErrMaxPayload, true, ipc.CodeTooLarge, ipc.NotDelivered},
		{nats.ErrDisconnected, false, ipc.CodeUnavailable, ipc.NotDelivered},
		{context.DeadlineExceeded, false, ipc.CodeUnavailable, ipc.NotDelivered},
		{&jetstream.APIError{ErrorCode: 10047, Description: "full"}, true, ipc.CodeUnavailable, ipc.NotDelivered},
		{ipc.Errorf(ipc.CodeConflict, "as it is"), true, ipc.CodeConflict, ipc.NotDelivered},
	} {
		e := host.Explain(tt.err, "kv.set", tt.write)
		require.Equal(t, tt.code, e.Code, "%v", tt.err)
		require.Equal(t, tt.outcome, e.Outcome, "%v", tt.err)
	}
}
