package supervisor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ixtrun/ixt/internal/crash"
	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/internal/process"
	"github.com/ixtrun/ixt/internal/ringfile"
	"github.com/ixtrun/ixt/internal/statedir"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// Supervisor runs modules. New reads their manifests, Run brings them up and keeps them up until its ctx ends.
// All methods are safe for concurrent use.
type Supervisor struct {
	opts     Options
	units    []*unit // in start order
	byName   map[string]*unit
	services map[string]Service
	router   *router
	journal  *Journal
	builds   *builds
	pulse    pulse
	memory   *ipc.Memory  // of large payloads
	reports  chan crashed // closed when every instance has ended
	hurried  atomic.Bool  // no more of them are written
	marks    chan string  // of ended incarnations; closed when every instance has ended

	incarnations atomic.Int64 // ever spawned

	guests  atomic.Int64   // who ever asked from outside
	sends   sync.WaitGroup // calls that nobody waits for
	sending atomic.Int64   // how many there are

	patience  context.Context // ended by StopNow: nothing is waited for any more
	loseHeart context.CancelFunc

	ran  atomic.Bool   // Run has been called
	up   chan struct{} // closed when Run has set up what follows
	down chan struct{} // closed when Run has returned

	state   *statedir.Dir
	sockets *statedir.RunDir
	logs    *logs.Store
	file    *ringfile.File // the journal's
	crashes *crash.Store
	spawner *process.Spawner

	ending  chan struct{} // closed when Run's ctx has ended; nothing is started from then on
	endedAt time.Time     // set before
}

// New reads and checks the manifests. Bad ones are manifest.Problems, all of them at once; nothing has been started then.
// opts may be nil.
func New(opts *Options) (*Supervisor, error) {
	s := &Supervisor{
		byName:   map[string]*unit{},
		services: map[string]Service{},
		journal:  newJournal(),
		memory:   new(ipc.Memory),
		reports:  make(chan crashed, pendingReports),
		marks:    make(chan string, pendingMarks),
		up:       make(chan struct{}),
		ending:   make(chan struct{}),
		down:     make(chan struct{}),
	}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.Operator == nil {
		s.opts.Operator = manifest.NoOperator()
	}
	s.patience, s.loseHeart = context.WithCancel(context.Background())
	modules, err := load(&s.opts)
	if err != nil {
		return nil, err
	}
	s.router = newRouter(s.journal)
	s.router.spans = s.opts.Spans
	s.builds = newBuilds(s)
	s.router.outlook, s.router.demand, s.router.awaitBuilds = s.outlook, s.demand, s.builds.await
	for _, m := range modules {
		u := newUnit(s, m)
		s.units = append(s.units, u)
		s.byName[m.Name] = u
		s.router.declare(m, s.opts.ByHand[m.Name])
		s.builds.declare(m)
	}
	services := append([]Service{messageBus{s}, logWriter{s}}, s.opts.Services...)
	if s.opts.Engine != nil {
		s.router.remote, _ = s.opts.Engine.(Remote)
		services = append(services, s.opts.Engine.Services()...)
	}
	for _, service := range services {
		if s.services[service.Name()] != nil {
			return nil, fmt.Errorf("supervisor: two services are called %q", service.Name())
		}
		s.services[service.Name()] = service
	}
	return s, nil
}

// Up is closed when Run has taken its directories and begins: from then on everything can be asked and commanded. It stays open
// if Run fails before.
func (s *Supervisor) Up() <-chan struct{} { return s.up }

// Message is a call from outside.
type Message struct {
	Topic    string
	Target   string // only this one: name, name:version or name:version/instance-002, with @node behind it or only that; default: whoever provides the topic
	Payload  []byte
	Priority ipc.Priority  // default ipc.Normal
	TTL      time.Duration // the call's limit, within the topic's timeout; default: that timeout. Building a module does not count
	TraceID  string        // default: a new one
}

// Call sends a message to whoever provides its topic and returns what that answered; it waits too for Run to have set up and for
// a provider to be ready, as long as there is hope for one before the deadline. The error is always an *ipc.Error with Code,
// Outcome and Origin (docs/protocol.md, "Errors").
func (s *Supervisor) Call(ctx context.Context, m Message) (ipc.Data, error) {
	if err := s.awaitUp(ctx); err != nil {
		return ipc.Data{}, err
	}
	f := s.router.landed.get()
	f.msg.Message = ipc.Message{Topic: m.Topic, Payload: ipc.EncodePayload(m.Payload), Priority: m.Priority}
	f.ttl, f.roams = m.TTL, true
	f.identify(fromHost, m.TraceID)
	f.msg.Target, f.node = local(m.Target)
	err := s.router.call(ctx, f)
	if err != nil || f.mc.Attempt > 1 {
		f.keep()
	}
	if err != nil {
		return ipc.Data{}, err
	}
	data := f.take()
	s.router.reuse(f)
	return data, nil
}

// awaitUp waits for Run to have set up; a call that comes later is accepted and counted, whatever its ctx.
func (s *Supervisor) awaitUp(ctx context.Context) error {
	if isDone(s.up) {
		return nil
	}
	select {
	case <-s.up:
		return nil
	case <-s.down:
		return ipc.Refuse(ipc.CodeUnavailable, "the supervisor is not running")
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		e := gaveUp()
		e.Origin = ipc.Supervisor
		return e
	}
	return ipc.Refuse(ipc.CodeUnavailable, "the supervisor was not running before the deadline")
}

// Journal returns what the supervisor saw and did.
func (s *Supervisor) Journal() *Journal { return s.journal }

// Start makes a module run, by command: it overrules an earlier Stop and retries at once what rests in backoff or failed.
func (s *Supervisor) Start(name string) error {
	u, err := s.unit(name)
	if err == nil {
		s.start(u)
	}
	return err
}

// Stop stops a module and waits until nothing of it is left, or ctx ends: it goes on stopping then. It stays stopped until
// Start.
func (s *Supervisor) Stop(ctx context.Context, name string) error {
	u, err := s.unit(name)
	if err != nil {
		return err
	}
	return u.halt(ctx)
}

// Restart replaces every process of a module, one after the other, and waits until the new ones are ready. A module that does
// not run is started. An instance that does not come back is an UNAVAILABLE error with its reason; those after it are left as
// they are.
func (s *Supervisor) Restart(ctx context.Context, name string) error {
	u, err := s.unit(name)
	if err != nil {
		return err
	}
	s.demandOthers(u)
	return u.restart(ctx)
}

// unit finds a module by name once Run has set up.
func (s *Supervisor) unit(name string) (*unit, error) {
	if !isDone(s.up) {
		return nil, ipc.Refuse(ipc.CodeUnavailable, "the supervisor is not running")
	}
	if s.stopping() {
		return nil, ipc.Refuse(ipc.CodeUnavailable, "the supervisor is stopping")
	}
	if u := s.byName[name]; u != nil {
		return u, nil
	}
	return nil, s.unknownModule(name)
}

func (s *Supervisor) unknownModule(name string) error {
	hint := "`ixt ps` lists them"
	if near := manifest.Nearest(name, s.names()); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return ipc.Refuse(ipc.CodeNoProvider, "there is no module %s; %s", name, hint)
}

func (s *Supervisor) names() []string {
	names := make([]string, 0, len(s.units))
	for _, u := range s.units {
		names = append(names, u.m.Name)
	}
	return names
}
