package ipc

import (
	"context"
	"slices"
)

// lull is somebody who waits until few of the peer's requests are open.
type lull struct {
	most    int
	reached chan struct{}
}

// AwaitOpen waits until at most n of the peer's requests are without an answer, and returns nil then, or the cause of ctx if
// that ends first. Answers count from the moment they are queued: what is answered next follows them on the wire, which
// is how a module answers shutdown last.
func (c *Conn) AwaitOpen(ctx context.Context, n int) error {
	reached := make(chan struct{})
	c.update(func(s *state) { s.lulls = append(s.lulls, lull{n, reached}) })
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
	}
	c.update(func(s *state) {
		s.lulls = slices.DeleteFunc(s.lulls, func(l lull) bool { return l.reached == reached })
	})
	return context.Cause(ctx)
}

func (s *state) endLulls() {
	s.lulls = slices.DeleteFunc(s.lulls, func(l lull) bool {
		if len(s.inbound) > l.most {
			return false
		}
		close(l.reached)
		return true
	})
}
