package supervisor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/manifest"
)

func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pulse
		leave := p.listen()
		began := time.Now()
		<-time.After(10 * time.Second)
		require.Zero(t, p.missed(began), "it beats in time")

		synctest.Wait()                           // for the beat of this very moment
		p.last = time.Now().Add(-2 * time.Second) // as if nothing had run since
		lapse := 2*time.Second - pulseGap
		require.Equal(t, lapse, p.missed(began), "the beat that is late counts before it comes")
		<-time.After(time.Second)
		require.Equal(t, lapse, p.missed(began), "and once")
		require.Equal(t, 500*time.Millisecond, p.missed(time.Now().Add(-1500*time.Millisecond)), "what was before does not")

		leave()
		quiet := p.last
		<-time.After(time.Minute)
		require.Equal(t, quiet, p.last, "nobody listens")
		began = time.Now()
		defer p.listen()()
		require.Zero(t, p.missed(began), "a time in which it did not beat is no lapse")
	})
}

func TestHealthQuestionsComeTogether(t *testing.T) {
	tests := map[string]struct{ interval, within time.Duration }{
		"default":       {10 * time.Second, 100 * time.Millisecond},
		"short":         {time.Second, 10 * time.Millisecond},
		"long":          {time.Hour, 100 * time.Millisecond},
		"next to never": {1, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newHealthWatch(manifest.Health{Interval: manifest.Duration(test.interval)}, false)
				defer w.stop()
				for range 10 {
					pause := w.pause()
					require.LessOrEqual(t, pause, test.interval)
					require.Greater(t, pause, test.interval-test.within)
					require.Zero(t, time.Now().Add(pause).Round(0).UnixNano()%int64(test.within))
					<-time.After(test.within / 3)
				}
			})
		})
	}
}
