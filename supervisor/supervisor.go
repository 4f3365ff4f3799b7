package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

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

	hurry context.Context // ended by StopNow
	rush  context.CancelFunc

	up   chan struct{} // closed when Run has set up what follows
	down chan struct{} // closed when Run has returned
	once sync.Once     // Run is called once

	state   *statedir.Dir
	sockets *statedir.RunDir
	logs    *logs.Store
	spawner *process.Spawner

	mu     sync.Mutex
	ending bool // nothing is started any more
}

// New reads and checks the manifests. Bad ones are manifest.Problems, all of them at once; nothing has been started then.
// opts may be nil.
func New(opts *Options) (*Supervisor, error) {
	s := &Supervisor{
		byName:   map[string]*unit{},
		services: map[string]Service{},
		journal:  newJournal(),
		up:       make(chan struct{}),
		down:     make(chan struct{}),
	}
	if opts != nil {
		s.opts = *opts
	}
	s.hurry, s.rush = context.WithCancel(context.Background())
	modules, err := load(&s.opts)
	if err != nil {
		return nil, err
	}
	s.router = newRouter(s.journal)
	s.router.outlook, s.router.demand = s.outlook, s.demand
	s.builds = newBuilds(s)
	for _, m := range modules {
		u := newUnit(s, m)
		s.units = append(s.units, u)
		s.byName[m.Name] = u
		s.router.declare(m)
	}
	for _, service := range append([]Service{messageBus{s}}, s.opts.Services...) {
		s.services[service.Name()] = service
	}
	return s, nil
}

// load finds the manifests and lays everything over them, in start order.
func load(opts *Options) ([]*manifest.Module, error) {
	dirs := opts.Dirs
	if opts.Operator != nil {
		dirs = append(slices.Clone(dirs), opts.Operator.Modules...)
	}
	paths, err := manifest.Find(dirs...)
	if err != nil {
		return nil, err
	}
	var problems manifest.Problems
	var authored []*manifest.Manifest
	var modules []*manifest.Module
	gather := func(err error) error {
		var ps manifest.Problems
		if !errors.As(err, &ps) {
			return err
		}
		problems = append(problems, ps...)
		return nil
	}
	for _, path := range paths {
		m, err := manifest.Load(path)
		if err == nil {
			authored = append(authored, m)
			var resolved *manifest.Module
			if resolved, err = manifest.Resolve(m, opts.Operator, opts.Set...); err == nil {
				modules = append(modules, resolved)
			}
		}
		if err := gather(err); err != nil {
			return nil, err
		}
	}
	if len(problems) == 0 { // overrides for a module whose manifest could not be read would only look wrong
		if opts.Operator != nil {
			if err := gather(manifest.CheckOperator(opts.Operator, authored)); err != nil {
				return nil, err
			}
		}
		if err := gather(manifest.CheckSets(opts.Set, authored)); err != nil {
			return nil, err
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return manifest.StartOrder(modules)
}

// Run starts the modules and returns when ctx has ended and everything is stopped: no process, socket or goroutine of the
// supervisor is left. Stopping takes at most the modules' own limits; StopNow cuts them short. An error means that nothing
// was started. Run may be called once.
func (s *Supervisor) Run(ctx context.Context) error {
	err := errors.New("Run was called before")
	s.once.Do(func() { err = s.run(ctx) })
	return err
}

func (s *Supervisor) run(ctx context.Context) (err error) {
	defer s.rush()
	defer close(s.down)
	defer s.journal.close()
	if err := s.setUp(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.tearDown()) }()
	close(s.up)
	s.journal.add(Entry{Kind: KindSupervisor, Text: fmt.Sprintf("started with %d modules", len(s.units))})
	for _, path := range s.sockets.Swept() {
		s.journal.add(Entry{Kind: KindWarning, Text: "removed what a dead supervisor left behind: " + path})
	}
	if !s.opts.OnDemand {
		for _, u := range s.units {
			u.start()
		}
	}
	<-ctx.Done()
	s.stopAll()
	return nil
}

// setUp takes the directories and starts the spawning thread.
func (s *Supervisor) setUp() (err error) {
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
	file, err := ringfile.Open(s.state.Path(), "journal", &ringfile.Options{MaxSize: min(journalBytes, share)})
	if err != nil {
		return errors.Join(err, s.sockets.Close(), s.state.Close())
	}
	s.journal.keepIn(file)
	s.logs = logs.OpenStore(s.state.Path("logs"))
	for _, u := range s.units {
		s.logs.Module(u.m.Name, &ringfile.Options{MaxSize: min(int64(u.m.Logs.MaxSize), share), MaxAge: u.m.Logs.MaxAge.Std()})
	}
	s.spawner = process.NewSpawner()
	return nil
}

// journalBytes is what the journal takes on disk at most.
const journalBytes = 8 << 20

// share is what each module, and the journal, may take of the state directory.
func (s *Supervisor) share() int64 {
	if s.opts.StateMax <= 0 {
		return math.MaxInt64
	}
	return s.opts.StateMax / int64(len(s.units)+1)
}

func (s *Supervisor) tearDown() error {
	s.spawner.Close()
	s.journal.add(Entry{Kind: KindSupervisor, Text: "stopped"})
	return errors.Join(s.logs.Close(), s.sockets.Close(), s.journal.keepIn(nil), s.state.Close())
}

// stopAll lets open calls finish and then stops the modules, those that come after others first.
func (s *Supervisor) stopAll() {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	s.journal.add(Entry{Kind: KindSupervisor, Text: "stopping"})
	s.router.close()
	var drain time.Duration
	for _, u := range s.units {
		drain = max(drain, u.m.Stop.Drain.Std())
	}
	timer := time.NewTimer(drain)
	defer timer.Stop()
	select {
	case <-s.router.idle:
	case <-timer.C:
	case <-s.hurry.Done():
	}
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
			u.halt()
		}()
	}
	for _, done := range stopped {
		<-done
	}
}

func (s *Supervisor) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending
}

// driver returns what speaks the protocol of an instance's module; nil if nothing does.
func (s *Supervisor) driver(in *instance) Driver {
	switch name := in.module.Process.Protocol; name {
	case "ixt":
		return ixtDriver{serve: func(ctx context.Context, req *ipc.Envelope) (json.RawMessage, error) { return s.serve(ctx, in, req) }}
	case "none":
		return noneDriver{}
	default:
		return s.opts.Drivers[name]
	}
}

// StopNow cuts an orderly stop short: nothing is waited for, every process is killed. Run's ctx must end as well.
func (s *Supervisor) StopNow() { s.rush() }

// Message is a call from outside.
type Message struct {
	Topic    string
	Payload  []byte
	Priority ipc.Priority  // default ipc.Normal
	TTL      time.Duration // the call's limit from now on; default: the topic's timeout
	TraceID  string        // default: a new one
}

// Answer is what a module answered.
type Answer struct {
	Data json.RawMessage // a JSON object
}

// Payload returns the bytes under "payload", and false if the answer has another shape.
func (a *Answer) Payload() ([]byte, bool) { return ipc.DataPayload(a.Data) }

// Call sends a message to whoever provides its topic and waits for the answer; it waits too for Run to have set up and for
// a provider to be ready, as long as there is hope for one before the deadline. The error is always an *ipc.Error with Code,
// Outcome and Origin (docs/protocol.md, "Errors").
func (s *Supervisor) Call(ctx context.Context, m Message) (*Answer, error) {
	select {
	case <-s.up:
	case <-s.down:
		return nil, hostError(ipc.CodeUnavailable, "the supervisor is not running")
	case <-ctx.Done():
		return nil, hostError(ipc.CodeUnavailable, "the supervisor was not running before the deadline")
	}
	f := &flight{
		msg: ipc.Message{Topic: m.Topic, Payload: ipc.EncodePayload(m.Payload), Priority: m.Priority},
		mc:  newContext("host", m.TraceID),
		ttl: m.TTL,
	}
	data, err := s.router.call(ctx, f)
	if err != nil {
		return nil, err
	}
	return &Answer{Data: data}, nil
}

// newContext is what a handler will see of a call accepted now.
func newContext(source, trace string) ipc.Context {
	if trace == "" {
		trace = fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
	}
	return ipc.Context{
		TraceID:      trace,
		SourceModule: source,
		Timestamp:    time.Now().Unix(),
		CallID:       fmt.Sprintf("%016x", rand.Uint64()),
	}
}

// Journal returns what the supervisor saw and did.
func (s *Supervisor) Journal() *Journal { return s.journal }

// Start makes a module run, by command: it overrules an earlier Stop and retries at once what rests in backoff or failed.
func (s *Supervisor) Start(name string) error {
	u, err := s.unit(name)
	if err == nil {
		u.start()
	}
	return err
}

// Stop stops a module and waits until nothing of it is left. It stays stopped until Start.
func (s *Supervisor) Stop(name string) error {
	u, err := s.unit(name)
	if err == nil {
		u.halt()
	}
	return err
}

// Restart replaces every process of a module, one after the other, and waits until the new ones are ready. One that does
// not come back is an UNAVAILABLE error with its reason; the others are then left as they are.
func (s *Supervisor) Restart(ctx context.Context, name string) error {
	u, err := s.unit(name)
	if err != nil {
		return err
	}
	return u.restart(ctx)
}

// unit finds a module by name once Run has set up.
func (s *Supervisor) unit(name string) (*unit, error) {
	select {
	case <-s.up:
	default:
		return nil, hostError(ipc.CodeUnavailable, "the supervisor is not running")
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
	return hostError(ipc.CodeNoProvider, "there is no module %s; %s", name, hint)
}

func (s *Supervisor) names() []string {
	names := make([]string, 0, len(s.units))
	for _, u := range s.units {
		names = append(names, u.m.Name)
	}
	return names
}
