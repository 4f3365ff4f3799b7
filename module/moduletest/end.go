package moduletest

import (
	"context"
	"time"
)

// Shutdown asks the module to finish within Options.Grace, or until ctx ends if that is sooner, and returns what went wrong:
// an error of the module's Shutdown, or what module.Serve returned. The end of the test does the same for a module that
// still runs.
func (h *Harness) Shutdown(ctx context.Context) error {
	grace := h.opts.Grace
	if deadline, ok := ctx.Deadline(); ok {
		grace = min(grace, time.Until(deadline))
	}
	err := h.conn.Shutdown(ctx, grace)
	if served := h.wait(); served != nil {
		return served
	}
	if err != nil {
		return h.fromModule(err)
	}
	return nil
}

// Disconnect hangs up as a supervisor that dies would, and returns what module.Serve returns then.
func (h *Harness) Disconnect() error {
	h.conn.Close()
	return h.wait()
}

// wait returns what Serve returned. Serve bounds its own end, and it returns whatever the module does.
func (h *Harness) wait() error {
	<-h.served
	h.endLife()
	h.conn.Close()
	<-h.ran
	h.background.Wait()
	h.kv.stop()
	return h.err
}

// cleanup ends a module that the test left running.
func (h *Harness) cleanup() {
	select {
	case <-h.served:
		_ = h.wait() // the test has seen how it ended
		return
	default:
	}
	if err := h.Shutdown(context.Background()); err != nil {
		h.t.Errorf("the module did not end in order: %v", err)
	}
}
