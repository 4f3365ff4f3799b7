package supervisor

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

func TestHealthPolicy(t *testing.T) {
	well := &ipc.Health{Healthy: true, Ready: true}
	offline := &ipc.Health{Healthy: true, Ready: false, Reason: "device offline"}
	sick := &ipc.Health{Healthy: false, Ready: true, Reason: "queue stuck"}
	failed := errors.New("TIMEOUT: no answer")
	type turn struct {
		answer *ipc.Health
		err    error
		want   verdict
	}
	tests := map[string][]turn{
		"healthy and ready": {{well, nil, verdict{routed: true}}},
		"not ready takes it out of routing and nothing more": {
			{offline, nil, verdict{why: "device offline"}}, {offline, nil, verdict{why: "device offline"}},
			{offline, nil, verdict{why: "device offline"}}, {well, nil, verdict{routed: true}},
		},
		"three failures in a row are a restart": {
			{nil, failed, verdict{true, false, "health check failed 1 times in a row: TIMEOUT: no answer"}},
			{sick, nil, verdict{true, false, "unhealthy 2 times in a row: queue stuck"}},
			{nil, failed, verdict{true, true, "health check failed 3 times in a row: TIMEOUT: no answer"}},
		},
		"a good answer in between forgives": {
			{sick, nil, verdict{true, false, "unhealthy 1 times in a row: queue stuck"}},
			{sick, nil, verdict{true, false, "unhealthy 2 times in a row: queue stuck"}},
			{well, nil, verdict{routed: true}},
			{sick, nil, verdict{true, false, "unhealthy 1 times in a row: queue stuck"}},
		},
	}
	for name, turns := range tests {
		t.Run(name, func(t *testing.T) {
			policy := healthPolicy{rules: manifest.Health{Failures: 3}}
			for _, turn := range turns {
				require.Equal(t, turn.want, policy.next(turn.answer, turn.err))
			}
		})
	}
}
