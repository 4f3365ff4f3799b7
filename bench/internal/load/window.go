package load

import (
	"sync/atomic"
	"time"
)

// window is the time in which the calls of all callers are counted. It closes with the first call that ends after the
// shortest time and is one of enough. It is safe for concurrent use.
type window struct {
	opens    time.Time
	shortest time.Duration
	least    int64 // calls

	calls  atomic.Int64
	closed atomic.Int64 // ns after opens; 0: not yet
}

// add tells of a call that has ended: whether it counts, and whether its caller is to make another one.
func (w *window) add(ended time.Time) (counts, more bool) {
	at := ended.Sub(w.opens)
	if closed := w.length(); closed != 0 {
		return 0 < at && at <= closed, false
	}
	if at <= 0 {
		return false, true
	}
	if w.calls.Add(1) < w.least || at < w.shortest {
		return true, true
	}
	w.closed.CompareAndSwap(0, int64(at))
	return at <= w.length(), false
}

// length is how long the window was open, 0 if it still is.
func (w *window) length() time.Duration { return time.Duration(w.closed.Load()) }
