package supervisor

import (
	"errors"
	"slices"
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
	deaf := sighting{err: mute.err, open: 3, stalled: 5 * time.Second}
	stuck := sighting{answer: well.answer, open: 1, overdue: 31 * time.Second}
	starved := sighting{err: mute.err, starved: time.Second}
	strained := sighting{err: mute.err, strain: 0.85}
	traced := sighting{err: mute.err, traced: true}
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
			{mute, judgement{routed: true, hung: true, why: "health check failed: TIMEOUT: no answer (1 of 3)"}},
			{sick, judgement{routed: true, why: "unhealthy: queue stuck (2 of 3)"}},
			{mute, judgement{routed: true, sick: true, hung: true, why: "health check failed: TIMEOUT: no answer (3 of 3)"}},
		},
		"a good answer in between forgives": {
			{sick, judgement{routed: true, why: "unhealthy: queue stuck (1 of 3)"}},
			{sick, judgement{routed: true, why: "unhealthy: queue stuck (2 of 3)"}},
			{well, judgement{routed: true}},
			{sick, judgement{routed: true, why: "unhealthy: queue stuck (1 of 3)"}},
		},
		"busy within its deadlines is not hung": {
			{busy, judgement{routed: true, why: still}}, {busy, judgement{routed: true, why: still}},
			{busy, judgement{routed: true, why: still}}, {busy, judgement{routed: true, why: still}},
		},
		"a call far past its deadline is": {
			{hung, judgement{routed: true, hung: true, why: "health check failed: a call is past its deadline and not answered (1 of 3)"}},
			{hung, judgement{routed: true, hung: true, why: "health check failed: a call is past its deadline and not answered (2 of 3)"}},
			{hung, judgement{routed: true, sick: true, hung: true, why: "health check failed: a call is past its deadline and not answered (3 of 3)"}},
		},
		"who works must read all the same": {
			{deaf, judgement{routed: true, hung: true, why: "health check failed: TIMEOUT: no answer (1 of 3); it has not read its connection for 5s"}},
		},
		"a call that is never answered shows a hang, whatever the answer to the health check": {
			{stuck, judgement{routed: true, sick: true, hung: true, why: "a call is 31s past its deadline and not answered"}},
		},
		"a starved host is not held against the module": {
			{mute, judgement{routed: true, hung: true, why: "health check failed: TIMEOUT: no answer (1 of 3)"}},
			{starved, judgement{routed: true, why: "not held against it: the host gave nobody a processor for 1s"}},
			{strained, judgement{routed: true, why: "not held against it: the host kept processes waiting for 85 % of the time"}},
			{mute, judgement{routed: true, hung: true, why: "health check failed: TIMEOUT: no answer (2 of 3)"}},
		},
		"but one time in three it is": append(slices.Repeat([]turn{{starved, judgement{routed: true, why: "not held against it: the host gave nobody a processor for 1s"}}}, 2),
			turn{starved, judgement{routed: true, hung: true, why: "health check failed: TIMEOUT: no answer (1 of 3)"}}),
		"a debugger may hold a process for ever": slices.Repeat([]turn{{traced, judgement{routed: true, why: "not held against it: a debugger holds the process"}}}, 30),
	}
	for name, turns := range tests {
		t.Run(name, func(t *testing.T) {
			policy := healthPolicy{rules: manifest.Health{Failures: 3, Timeout: manifest.Duration(3 * time.Second), Overdue: manifest.Duration(30 * time.Second)}}
			for _, turn := range turns {
				require.Equal(t, turn.want, policy.next(turn.seen))
			}
		})
	}
}
