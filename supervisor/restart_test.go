package supervisor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/manifest"
)

var testRules = manifest.Restart{
	Initial: manifest.Duration(200 * time.Millisecond),
	Max:     manifest.Duration(time.Second),
	Jitter:  0.2,
	Forgive: manifest.Duration(time.Minute),
	GiveUp:  5,
	Window:  manifest.Duration(5 * time.Minute),
	Retry:   manifest.Duration(time.Hour),
}

func TestRestartPolicy(t *testing.T) {
	exit1 := []string{"exit 1", "exit"}
	noStart := ending{cause: exit1, what: "exit 1"}
	crash := ending{cause: exit1, what: "exit 1", ready: true}
	stable := ending{cause: exit1, what: "exit 1", ready: true, ran: time.Minute}
	restart := ending{what: "restart asked for", wanted: true}
	type turn struct {
		after time.Duration // since the turn before
		end   ending
		luck  float64
		want  decision
	}
	const even = 0.5 // no jitter
	tests := map[string]struct {
		rules func(*manifest.Restart)
		turns []turn
	}{
		"a failed start: the delay doubles up to the cap, and five are enough": {turns: []turn{
			{0, noStart, even, decision{Backoff, 200 * time.Millisecond, "exit 1: 1st failed start; gives up after 5 in 5m"}},
			{time.Second, noStart, even, decision{Backoff, 400 * time.Millisecond, "exit 1: 2nd failed start in 1s; gives up after 5 in 5m"}},
			{time.Second, noStart, even, decision{Backoff, 800 * time.Millisecond, "exit 1: 3rd failed start in 2s; gives up after 5 in 5m"}},
			{time.Second, noStart, even, decision{Backoff, time.Second, "exit 1: 4th failed start in 3s; gives up after 5 in 5m"}},
			{time.Second, noStart, even, decision{Failed, time.Hour, "gave up after 5th failed start in 4s: exit 1"}},
			{time.Hour, noStart, even, decision{Failed, time.Hour, "gave up after 1st failed start: exit 1"}},
		}},
		"a ready instance is restarted at once, then later and later": {turns: []turn{
			{0, crash, even, decision{Backoff, 0, "exit 1: 1st failure; gives up after 5 in 5m"}},
			{time.Second, crash, even, decision{Backoff, 200 * time.Millisecond, "exit 1: 2nd failure in 1s; gives up after 5 in 5m"}},
			{time.Second, crash, even, decision{Backoff, 400 * time.Millisecond, "exit 1: 3rd failure in 2s; gives up after 5 in 5m"}},
			{time.Second, crash, even, decision{Backoff, 800 * time.Millisecond, "exit 1: 4th failure in 3s; gives up after 5 in 5m"}},
			{time.Second, crash, even, decision{Failed, time.Hour, "gave up after 5th failure in 4s: exit 1"}},
		}},
		"a wait of its own before the first restart": {rules: func(r *manifest.Restart) { r.First = r.Max }, turns: []turn{
			{0, crash, even, decision{Backoff, time.Second, "exit 1: 1st failure; gives up after 5 in 5m"}},
			{0, crash, even, decision{Backoff, 200 * time.Millisecond, "exit 1: 2nd failure in 0s; gives up after 5 in 5m"}},
		}},
		"failed starts have a limit of their own, and a good start forgets them": {rules: func(r *manifest.Restart) { r.GiveUp, r.GiveUpStarts = 3, 2 }, turns: []turn{
			{0, crash, even, decision{Backoff, 0, "exit 1: 1st failure; gives up after 3 in 5m"}},
			{0, noStart, even, decision{Backoff, 200 * time.Millisecond, "exit 1: 1st failed start; gives up after 2 in 5m"}},
			{0, crash, even, decision{Backoff, 200 * time.Millisecond, "exit 1: 2nd failure in 0s; gives up after 3 in 5m"}},
			{0, noStart, even, decision{Backoff, 200 * time.Millisecond, "exit 1: 1st failed start; gives up after 2 in 5m"}},
			{0, noStart, even, decision{Failed, time.Hour, "gave up after 2nd failed start in 0s: exit 1"}},
		}},
		"jitter spreads the delay by a fifth either way": {turns: []turn{
			{0, noStart, 0, decision{Backoff, 160 * time.Millisecond, "exit 1: 1st failed start; gives up after 5 in 5m"}},
			{time.Second, noStart, 1, decision{Backoff, 480 * time.Millisecond, "exit 1: 2nd failed start in 1s; gives up after 5 in 5m"}},
		}},
		"a stable run forgives": {turns: []turn{
			{0, crash, even, decision{Backoff, 0, "exit 1: 1st failure; gives up after 5 in 5m"}},
			{time.Second, crash, even, decision{Backoff, 200 * time.Millisecond, "exit 1: 2nd failure in 1s; gives up after 5 in 5m"}},
			{time.Minute, stable, even, decision{Backoff, 0, "exit 1: 1st failure; gives up after 5 in 5m"}},
		}},
		"failures outside the window do not count, but the delay still grows": {turns: []turn{
			{0, noStart, even, decision{Backoff, 200 * time.Millisecond, "exit 1: 1st failed start; gives up after 5 in 5m"}},
			{6 * time.Minute, noStart, even, decision{Backoff, 400 * time.Millisecond, "exit 1: 1st failed start; gives up after 5 in 5m"}},
		}},
		"a refused configuration is not retried": {turns: []turn{
			{0, ending{cause: []string{causeConfig}, what: "init failed: CONFIG_INVALID: config.limit"}, even,
				decision{Failed, forever, "init failed: CONFIG_INVALID: config.limit; not retried until the configuration changes"}},
		}},
		"unless a rule says so": {rules: func(r *manifest.Restart) { r.On = map[string]string{"config": "restart"} }, turns: []turn{
			{0, ending{cause: []string{causeConfig}, what: "init failed: CONFIG_INVALID: no device"}, even,
				decision{Backoff, 200 * time.Millisecond, "init failed: CONFIG_INVALID: no device: 1st failed start; gives up after 5 in 5m"}},
		}},
		"a failed build is not repeated soon": {turns: []turn{
			{0, ending{cause: []string{causeBuild}, what: "building press: exit 1"}, even,
				decision{Failed, time.Hour, "gave up after 1st failed start: building press: exit 1"}},
		}},
		"rules go by the cause, the closest first": {rules: func(r *manifest.Restart) {
			r.On = map[string]string{"exit 0": "stop", "exit": "fail", "SIGSEGV": "fail", "signal": "restart"}
		}, turns: []turn{
			{0, ending{cause: []string{"exit 0", "exit"}, what: "exit 0", ready: true}, even, decision{Stopped, forever, "exit 0; restart.on says stop"}},
			{0, crash, even, decision{Failed, time.Hour, "exit 1; restart.on says fail"}},
			{0, ending{cause: []string{"SIGBUS", "signal"}, what: "signal: bus error", ready: true}, even, decision{Backoff, 0, "signal: bus error: 1st failure; gives up after 5 in 5m"}},
			{0, ending{cause: []string{"SIGSEGV", "signal"}, what: "signal: segmentation fault", ready: true}, even, decision{Failed, time.Hour, "signal: segmentation fault; restart.on says fail"}},
		}},
		"a restart that was asked for is immediate and forgets": {turns: []turn{
			{0, noStart, even, decision{Backoff, 200 * time.Millisecond, "exit 1: 1st failed start; gives up after 5 in 5m"}},
			{time.Second, restart, even, decision{"", 0, "restart asked for"}},
			{time.Second, noStart, even, decision{Backoff, 200 * time.Millisecond, "exit 1: 1st failed start; gives up after 5 in 5m"}},
		}},
		"without retry, giving up is for good": {rules: func(r *manifest.Restart) { r.GiveUp, r.Retry = 1, 0 }, turns: []turn{
			{0, crash, even, decision{Failed, forever, "gave up after 1st failure: exit 1"}},
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			policy := restartPolicy{rules: testRules}
			if tt.rules != nil {
				tt.rules(&policy.rules)
			}
			now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
			for _, turn := range tt.turns {
				now = now.Add(turn.after)
				require.Equal(t, turn.want, policy.next(now, turn.end, turn.luck))
			}
		})
	}
}

func TestOrdinal(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 111: "111th"} {
		require.Equal(t, want, ordinal(n))
	}
}
