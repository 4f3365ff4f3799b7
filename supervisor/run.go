package supervisor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ixtrun/ixt/internal/crash"
	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/internal/process"
	"github.com/ixtrun/ixt/internal/ringfile"
	"github.com/ixtrun/ixt/internal/statedir"
	"github.com/ixtrun/ixt/manifest"
)

// Run starts the modules and returns when ctx has ended and everything is stopped: no process, socket or goroutine of the
// supervisor is left. Stopping takes at most the modules' own limits, and 5 s more where the disk is slow to take crash reports;
// StopNow cuts the limits short. An error means that the state directory or the sockets' could not be taken, and then nothing was
// started, or not be given back. Run may be called once.
func (s *Supervisor) Run(ctx context.Context) error {
	if s.ran.Swap(true) {
		return errors.New("supervisor: Run was called before")
	}
	defer close(s.down)
	defer s.StopNow()
	defer s.journal.close()
	if err := s.setUp(ctx); err != nil {
		return err
	}
	var beside sync.WaitGroup
	beside.Go(func() { s.journal.keepIn(s.file) })
	var after sync.WaitGroup // what is still to be done once every instance has ended
	after.Go(s.keepReports)
	after.Go(s.killStrays)
	beside.Go(func() {
		for err := range s.spawner.Unguarded() {
			s.journal.add(Entry{Kind: KindWarning, Text: err.Error()})
		}
	})
	close(s.up)
	s.journal.add(Entry{Kind: KindSupervisor, Text: "started with " + counted(len(s.units), "module")})
	for _, path := range s.sockets.Swept() {
		s.journal.add(Entry{Kind: KindWarning, Text: "removed what a dead supervisor left behind: " + path})
		s.marks <- path + "/"
	}
	if !s.opts.OnDemand {
		for _, u := range s.units {
			u.wake() // unless somebody has been faster
		}
	}
	<-ctx.Done()
	s.stopAll()
	s.sends.Wait()
	s.router.passing.Wait()
	s.spawner.Close()
	close(s.reports)
	close(s.marks)
	hurry := time.AfterFunc(reportTime, func() { s.hurried.Store(true) })
	after.Wait()
	hurry.Stop()
	engine := s.closeEngine()
	s.journal.add(Entry{Kind: KindSupervisor, Text: "stopped"})
	s.journal.close()
	beside.Wait()
	return errors.Join(engine, s.logs.Close(), s.file.Close(), s.sockets.Close(), s.state.Close())
}

// setUp takes the directories, opens the engine and starts the spawning thread.
func (s *Supervisor) setUp(ctx context.Context) (err error) {
	if s.opts.StateDir == "" {
		s.state, err = statedir.Temporary()
	} else {
		s.state, err = statedir.Open(s.opts.StateDir)
	}
	if err != nil {
		return err
	}
	if s.sockets, err = statedir.OpenRun(); err != nil {
		return errors.Join(err, s.state.Close())
	}
	share := s.share()
	s.file, err = ringfile.Open(s.state.Path(), "journal", &ringfile.Options{MaxSize: min(journalBytes, share)})
	if err != nil {
		return errors.Join(err, s.sockets.Close(), s.state.Close())
	}
	s.crashes = crash.Open(s.state.Path("crashes"), &crash.Limits{Bytes: min(crash.DefaultBytes, share)})
	s.logs = logs.OpenStore(s.state.Path("logs"))
	for _, u := range s.units {
		s.logs.Module(u.m.Name, &ringfile.Options{MaxSize: min(int64(u.m.Logs.MaxSize), share), MaxAge: u.m.Logs.MaxAge.Std()})
	}
	if engine := s.opts.Engine; engine != nil {
		if err := engine.Open(ctx, s.site()); err != nil {
			return errors.Join(err, s.logs.Close(), s.file.Close(), s.sockets.Close(), s.state.Close())
		}
	}
	s.spawner = process.NewSpawner()
	return nil
}

func (s *Supervisor) closeEngine() error {
	if s.opts.Engine == nil {
		return nil
	}
	return s.opts.Engine.Close()
}

// journalBytes is what the journal takes on disk at most.
const journalBytes = 8 << 20

// share is what each module, the journal and the crash reports may take of the state directory.
func (s *Supervisor) share() int64 { return int64(s.opts.Operator.State.Max) / int64(len(s.units)+2) }

// stopAll lets open calls finish and then stops the modules, those that come after others first.
func (s *Supervisor) stopAll() {
	s.endedAt = time.Now()
	close(s.ending)
	s.journal.add(Entry{Kind: KindSupervisor, Text: "stopping"})
	s.router.close()
	s.drain()
	stopped := make(map[string]chan struct{}, len(s.units))
	for _, u := range s.units {
		stopped[u.m.Name] = make(chan struct{})
	}
	for _, u := range s.units {
		go func() {
			defer close(stopped[u.m.Name])
			for _, v := range s.units {
				if _, after := v.m.After[u.m.Name]; after {
					<-stopped[v.m.Name]
				}
			}
			_ = u.halt(context.Background()) // every step of it has its own bound
		}()
	}
	for _, done := range stopped {
		<-done
	}
}

// drain waits until no call is open, or every module that has some has had its time for them. Until then everything still
// runs: the open calls may need it.
func (s *Supervisor) drain() {
	for {
		next := s.router.nextDrained(time.Since(s.endedAt))
		if next == 0 {
			return
		}
		timer := time.NewTimer(next)
		select {
		case <-s.router.idle:
		case <-timer.C:
		case <-s.patience.Done():
		}
		timer.Stop()
		if isDone(s.router.idle) || s.patience.Err() != nil {
			return
		}
	}
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func (s *Supervisor) stopping() bool { return isDone(s.ending) }

// drainTime is how long an instance of m may still finish open calls; when the supervisor stops, all drain at once.
func (s *Supervisor) drainTime(m *manifest.Module) time.Duration {
	if !s.stopping() {
		return m.Stop.Drain.Std()
	}
	return m.Stop.Drain.Std() - time.Since(s.endedAt)
}

// StopNow cuts an orderly stop short: nothing is waited for, every process is killed. Run's ctx must end as well.
func (s *Supervisor) StopNow() { s.loseHeart() }
