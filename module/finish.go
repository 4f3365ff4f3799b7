package module

import (
	"context"
	"fmt"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// defaultGrace is the time to finish that a shutdown without grace_ms gives.
const defaultGrace = 10 * time.Second

// shutdown ends the module's work at the host's request and is answered last. A repeat, or one that finds the module ending
// for another reason, is answered at once.
func (s *session) shutdown(req *ipc.Envelope) error {
	s.mu.Lock()
	late := s.phase == ending
	s.phase = ending
	s.mu.Unlock()
	if late {
		return nil
	}
	grace := time.Duration(req.GraceMS) * time.Millisecond
	if grace <= 0 {
		grace = defaultGrace
	}
	err := s.finish(grace, true)
	s.conn.Drain() // the connection ends when this answer has left
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
	if err != nil {
		return answerError(err, ipc.CodeHandlerError)
	}
	return nil
}

// finish ends the author's work within grace, once; whoever comes second waits for the first.
//
//	0 ────────── 1/2 ────────── 3/4 ────── 9/10 ── grace
//	handlers may finish
//	             their ctx has ended, they return
//	                            Shutdown    its ctx ends
//
// What one step does not need is left to the next. Without a host that takes answers the first step is skipped.
func (s *session) finish(grace time.Duration, patient bool) error {
	var err error
	s.finishing.Do(func() { err = s.finishOnce(grace, patient) })
	return err
}

func (s *session) finishOnce(grace time.Duration, patient bool) error {
	began := time.Now()
	at := func(share time.Duration) (context.Context, context.CancelFunc) {
		return context.WithDeadline(context.Background(), began.Add(grace*share/20))
	}
	s.mu.Lock()
	s.phase = ending
	s.mu.Unlock()

	others := 0
	if patient {
		others = 1 // the shutdown request itself
		ctx, cancel := at(10)
		_ = s.conn.AwaitOpen(ctx, others)
		cancel()
	}
	s.stopWork()
	ctx, cancel := at(15)
	_ = s.conn.AwaitOpen(ctx, others)
	cancel()

	s.mu.Lock()
	born := s.born
	s.mu.Unlock()
	if !born {
		return nil
	}
	ctx, cancel = at(18)
	defer cancel()
	last, cancelLast := at(20)
	defer cancelLast()
	err := s.callShutdown(ctx, last)
	if err != nil {
		s.mu.Lock()
		if s.failed == nil {
			s.failed = fmt.Errorf("shutdown: %w", err)
		}
		s.mu.Unlock()
	}
	return err
}

// callShutdown calls the module's Shutdown with ctx and waits for it until last ends.
func (s *session) callShutdown(ctx, last context.Context) error {
	ctx = &scope{Context: ctx, log: &s.log}
	done := make(chan error, 1)
	go func() {
		done <- guard(ctx, ipc.CodeHandlerPanic, "Shutdown", func() error { return s.module.Shutdown(ctx) })
	}()
	select {
	case err := <-done:
		return err
	case <-last.Done():
		return Errorf(ipc.CodeTimeout, "Shutdown did not return in time; it must do so soon after its ctx ends")
	}
}
