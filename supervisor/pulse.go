package supervisor

import (
	"context"
	"sync"
	"time"
)

// pulse notices when the host gives this program no processor: its own beat comes late then. What other processes did not
// do in that time proves nothing about them.
type pulse struct {
	mu     sync.Mutex
	lapses []lapse // the newest, oldest first
}

// lapse is a time without a beat.
type lapse struct {
	end  time.Time
	took time.Duration
}

const (
	pulseGap   = 100 * time.Millisecond // between beats
	pulseSlack = 50 * time.Millisecond  // lateness that means nothing
	maxLapses  = 64
)

// run beats until ctx ends.
func (p *pulse) run(ctx context.Context) {
	ticker := time.NewTicker(pulseGap)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		if late := now.Sub(last) - pulseGap; late > pulseSlack {
			p.note(lapse{now, late})
		}
		last = now
	}
}

func (p *pulse) note(l lapse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lapses) == maxLapses {
		p.lapses = p.lapses[1:]
	}
	p.lapses = append(p.lapses, l)
}

// missed is how much time since then the host was without a beat.
func (p *pulse) missed(since time.Time) (sum time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lapses {
		sum += max(min(l.took, l.end.Sub(since)), 0)
	}
	return sum
}
