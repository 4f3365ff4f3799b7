package supervisor

import "time"

// Bounds are the upper bounds, inclusive, of the buckets of every Histogram but the last, which has none.
var Bounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second,
}

// Histogram is how long something took, each time since the start. It is a plain value: who keeps it guards it.
type Histogram struct {
	Sum    time.Duration           `json:"sum_ns"`
	Counts [len(Bounds) + 1]uint64 `json:"counts"` // by bucket: Counts[i] took at most Bounds[i] and longer than the bound before
}

// Count is how many times it was.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

func (h *Histogram) observe(d time.Duration) {
	d = max(d, 0)
	i := 0
	for i < len(Bounds) && d > Bounds[i] {
		i++
	}
	h.Counts[i]++
	h.Sum += d
}
