package supervisor

import (
	"sync"
	"time"
)

// pulse notices when the host gives this program no processor: its own beat comes late then. What other processes did not
// do in that time proves nothing about them. It beats only while somebody listens, since to wake an idle program ten times
// a second costs more than all else it does.
type pulse struct {
	mu        sync.Mutex
	listeners int
	last      time.Time   // beat, or when the first listener came
	next      *time.Timer // nil: nobody has listened yet
	lapses    []lapse     // the newest, oldest first
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

// listen lets it beat until done is called, once.
func (p *pulse) listen() (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listeners++; p.listeners == 1 {
		p.last = time.Now()
		if p.next == nil {
			p.next = time.AfterFunc(pulseGap, p.beat)
		} else {
			p.next.Reset(pulseGap)
		}
	}
	return p.leave
}

func (p *pulse) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listeners--; p.listeners == 0 {
		p.next.Stop()
	}
}

func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listeners == 0 {
		return
	}
	now := time.Now()
	p.note(now)
	p.last = now
	p.next.Reset(pulseGap)
}

// note keeps a lapse if there has been one by now.
func (p *pulse) note(now time.Time) {
	late := now.Sub(p.last) - pulseGap
	if late <= pulseSlack {
		return
	}
	if len(p.lapses) == maxLapses {
		p.lapses = p.lapses[1:]
	}
	p.lapses = append(p.lapses, lapse{now, late})
	p.last = now
}

// missed is how much time since then the host was without a beat. Somebody must be listening since then.
func (p *pulse) missed(since time.Time) (sum time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listeners > 0 {
		p.note(time.Now()) // the late beat itself may come only after whoever else woke late
	}
	for _, l := range p.lapses {
		sum += max(min(l.took, l.end.Sub(since)), 0)
	}
	return sum
}
