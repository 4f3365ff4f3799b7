package supervisor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// answering answers a call, and knows what its Watch was told.
type answering struct {
	silence
	known bool // a request of the module belonged to the call
	hangs bool // a ctx was hung below the call's
	err   error
}

func (a *answering) Call(ctx context.Context, _ ipc.Message, _ ipc.Context, watch ipc.Watch) (ipc.Data, error) {
	if a.hangs {
		_, cancel := context.WithCancel(ctx)
		defer cancel()
	}
	watch.Written(1)
	watch.Settled(ipc.Settlement{Answered: a.err == nil, Known: a.known})
	return ipc.Data{}, a.err
}

// The memory of a call serves another one only if nobody can come back to it.
func TestWhichFlightsArePrivate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		talk    *answering
		private bool
	}{
		{name: "answered", talk: &answering{}, private: true},
		{name: "made another call", talk: &answering{known: true}},
		{name: "has a ctx below it", talk: &answering{hangs: true}},
		{name: "went to a second instance", talk: &answering{err: ipc.Errorf(ipc.CodeUnavailable, "gone")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := instantRouter()
			first := r.topics["echo.say"].offers[0].provider
			first.talk = tt.talk
			if tt.talk.err != nil {
				r.attach(&provider{instance: first.instance, talk: &instant{}, limit: 1})
			}
			f := &flight{msg: ipc.Message{Topic: "echo.say"}}
			_, err := r.call(t.Context(), f)
			require.NoError(t, err)
			require.Equal(t, tt.private, f.private())
		})
	}
}
