package supervisor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// The memory of a call serves another one only if nobody can come back to it.
func TestWhichFlightsArePrivate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		talk    *instant
		private bool
	}{
		{name: "answered", talk: &instant{}, private: true},
		{name: "made another call", talk: &instant{known: true}},
		{name: "has a ctx below it", talk: &instant{hangs: true}},
		{name: "went to a second instance", talk: &instant{err: ipc.Errorf(ipc.CodeUnavailable, "gone")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := instantRouter()
			first := r.topics["echo.say"].offers[0].provider
			first.talk = tt.talk
			if tt.talk.err != nil {
				r.attach(&provider{instance: first.instance, talk: &instant{}, limit: 1})
			}
			f := &flight{msg: ipc.TargetedMessage{Message: ipc.Message{Topic: "echo.say"}}}
			require.NoError(t, r.call(t.Context(), f))
			require.Equal(t, tt.private, f.private())
		})
	}
}
