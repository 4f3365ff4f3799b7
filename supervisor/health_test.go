package supervisor

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

func TestHealthPolicy(t *testing.T) {
	well := sighting{answer: &ipc.Health{Healthy: true, Ready: true}}
	offline := sighting{answer: &ipc.Health{Healthy: true, Reason: "device offline"}}
	sick := sighting{answer: &ipc.Health{Ready: true, Reason: "queue stuck"}}
	mute := sighting{err: errors.New("TIMEOUT: no answer")}
	busy := sighting{err: mute.err, open: 3}
	hung := sighting{err: errOverdue, open: 1, overdue: 4 * time.Second}
	const still = "no answer to the health check, but calls within their deadlines are open"
	type turn struct {
		seen sighting
		want judgement
	}
	tests := map[string][]turn{
		"healthy and ready": {{well, judgement{routed: true}}},
		"not ready takes it out of routing and nothing more": {
			{offline, judgement{why: "device offline"}}, {offline, judgement{why: "device offline"}},
			{offline, judgement{why: "device offline"}}, {well, judgement{routed: true}},
		},
		"three failures in a row are a restart": {
			{mute, judgement{true, false, "health check failed: TIMEOUT: no answer (1 of 3)"}},
			{sick, judgement{true, false, "unhealthy: queue stuck (2 of 3)"}},
			{mute, judgement{true, true, "health check failed: TIMEOUT: no answer (3 of 3)"}},
		},
		"a good answer in between forgives": {
			{sick, judgement{true, false, "unhealthy: queue stuck (1 of 3)"}},
			{sick, judgement{true, false, "unhealthy: queue stuck (2 of 3)"}},
			{well, judgement{routed: true}},
			{sick, judgement{true, false, "unhealthy: queue stuck (1 of 3)"}},
		},
		"busy within its deadlines is not hung": {
			{busy, judgement{true, false, still}}, {busy, judgement{true, false, still}},
			{busy, judgement{true, false, still}}, {busy, judgement{true, false, still}},
		},
		"a call far past its deadline is": {
			{hung, judgement{true, false, "health check failed: a call is past its deadline and not answered (1 of 3)"}},
			{hung, judgement{true, false, "health check failed: a call is past its deadline and not answered (2 of 3)"}},
			{hung, judgement{true, true, "health check failed: a call is past its deadline and not answered (3 of 3)"}},
		},
	}
	for name, turns := range tests {
		t.Run(name, func(t *testing.T) {
			policy := healthPolicy{rules: manifest.Health{Failures: 3, Timeout: manifest.Duration(3 * time.Second)}}
			for _, turn := range turns {
				require.Equal(t, turn.want, policy.next(turn.seen))
			}
		})
	}
}
