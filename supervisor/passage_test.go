package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// wired is a conversation over a connection that there is already.
type wired struct {
	ixtConversation
	parent atomic.Pointer[delivery] // handle 7, if it is open
}

func (w *wired) Watching(id int64) ipc.Watch {
	if parent := w.parent.Load(); id == 7 && parent != nil {
		return parent
	}
	return nil
}

// wire returns two connections with each other over a socket.
func wire(t *testing.T, near, far *ipc.Options) (a, b *ipc.Conn) {
	dir, err := os.MkdirTemp("", "ixt")
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(dir)) }()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	dialed, err := net.DialUnix("unix", nil, listener.Addr().(*net.UnixAddr))
	require.NoError(t, err)
	accepted, err := listener.AcceptUnix()
	require.NoError(t, err)
	run := func(stream net.Conn, opts *ipc.Options) *ipc.Conn {
		c := ipc.NewConn(stream, opts)
		ran := make(chan struct{})
		go func() {
			defer close(ran)
			_ = c.Run(context.Background()) // ends with Close
		}()
		t.Cleanup(func() {
			c.Close()
			<-ran
		})
		c.Enable([]string{ipc.ExtCancel, ipc.ExtRaw}, 0)
		return c
	}
	return run(dialed, near), run(accepted, far)
}

// asker is a module that calls echo.say through a supervisor, and the parts of that.
type asker struct {
	sup      *Supervisor
	echo     *provider
	talk     *wired
	module   *ipc.Conn
	received chan string // topics that the echo was asked
	answers  chan error  // what it answers
}

func newAsker(t *testing.T) *asker {
	a := &asker{received: make(chan string, 8), answers: make(chan error, 8)}
	a.set(t, func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
		a.received <- req.Message.Topic
		select {
		case err := <-a.answers:
			return ipc.Data{}, err
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) { // it is late, so that its caller's clock is the faster one
				return ipc.Data{}, <-a.answers
			}
			return ipc.Data{}, ctx.Err()
		}
	})
	return a
}

// set sets everything up, with an echo that answers by a handler.
func (a *asker) set(t *testing.T, handler ipc.Handler) {
	host, _ := wire(t, nil, &ipc.Options{Handler: handler, MaxInbound: 1 << 20})
	r := instantRouter()
	a.echo = r.topics["echo.say"].offers[0].provider
	a.talk = &wired{ixtConversation: ixtConversation{Conn: host}}
	a.echo.talk, a.echo.instance.s = a.talk, &Supervisor{opts: Options{OnDemand: true}}
	a.sup = &Supervisor{opts: Options{OnDemand: true, Open: true}, router: r, journal: r.journal}
	a.sup.services = map[string]Service{ipc.ServiceMessageBus: messageBus{a.sup}}
	m := &manifest.Module{}
	m.Name, m.Version = "asker", "1.0.0"
	in := &instance{s: a.sup, module: m, id: ipc.ModuleID{Name: "asker", Version: "1.0.0", Instance: 1}}
	process := &incarnation{talk: a.talk}
	_, a.module = wire(t, &ipc.Options{
		Handler: func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
			return a.sup.serve(ctx, in, process, req)
		},
		Relay:      func(req *ipc.Request, batch *ipc.Batch) bool { return a.sup.relay(in, process, req, batch) },
		MaxInbound: 1 << 20,
	}, nil)
}

func (a *asker) call(ctx context.Context, parent int64, topic string, payload []byte) error {
	_, err := a.ask(ctx, parent, topic, payload)
	return err
}

func (a *asker) ask(ctx context.Context, parent int64, topic string, payload []byte) (ipc.Data, error) {
	params, err := ipc.Pack(&ipc.TargetedMessage{Message: ipc.Message{Topic: topic, Payload: ipc.OwnPayload(payload)}})
	if err != nil {
		return ipc.Data{}, err
	}
	return a.module.Service(ctx, ipc.ServiceRequest{Service: ipc.ServiceMessageBus, Method: ipc.MethodCall, Params: params, Parent: parent})
}

// parent lets handle 7 be open, with a term.
func (a *asker) parent(ctx context.Context) *flight {
	f := &flight{provider: a.echo}
	f.term.begin(ctx, nil)
	a.talk.parent.Store(&delivery{flight: f})
	return f
}

func TestAPassageEndsAsAnyCall(t *testing.T) {
	a := newAsker(t)
	a.answers <- nil
	require.NoError(t, a.call(t.Context(), 0, "echo.say", nil))
	require.Equal(t, "echo.say", <-a.received)

	a.answers <- ipc.Errorf("NOT_TODAY", "no")
	err := a.call(t.Context(), 0, "echo.say", nil)
	require.True(t, ipc.IsCode(err, "NOT_TODAY"), "%v", err)
	require.Equal(t, "echo:1.0.0/instance-001", ipc.AsError(err, "").Origin)
	<-a.received

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.call(ctx, 0, "echo.say", nil) }()
	<-a.received
	cancel()
	require.True(t, ipc.IsCode(<-ended, ipc.CodeCancelled))

	parent := a.parent(t.Context())
	go func() { ended <- a.call(t.Context(), 7, "echo.say", nil) }()
	<-a.received
	parent.term.end()
	require.True(t, ipc.IsCode(<-ended, ipc.CodeCancelled), "a child ends with its parent")

	a.sup.router.close()
	<-a.sup.router.idle
	a.sup.router.passing.Wait()
}

// A passage serves one call after the other, and what still comes for one of them, such as its caller's end, never meets the next.
func TestPassagesAreUsedAgain(t *testing.T) {
	var a asker
	a.set(t, func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
		payload, err := req.Message.Payload.Decode()
		if string(payload) == "wait" {
			<-ctx.Done()
			return ipc.Data{}, ctx.Err()
		}
		return ipc.PayloadData(payload), err
	})
	a.parent(t.Context())
	var callers sync.WaitGroup
	for n := range 16 {
		callers.Go(func() {
			for i := range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { // in the moment of the answer, before or after it
					defer close(ended)
					for range i % 7 {
						runtime.Gosched()
					}
					cancel()
				}()
				sent := "wait"
				if i%5 > 0 {
					sent = fmt.Sprint("call ", i, " of ", n)
				}
				data, err := a.ask(ctx, int64(i%2)*7, "echo.say", []byte(sent))
				<-ended
				if err != nil {
					assert.True(t, ipc.IsCode(err, ipc.CodeCancelled), "%v", err)
					continue
				}
				got, _ := data.Payload()
				assert.Equal(t, sent, string(got))
				data, err = a.ask(t.Context(), 7, "echo.say", []byte(sent+"!"))
				got, _ = data.Payload()
				assert.NoError(t, err)
				assert.Equal(t, sent+"!", string(got))
			}
		})
	}
	callers.Wait()
	a.sup.router.close()
	<-a.sup.router.idle
	a.sup.router.passing.Wait()
}

// Where an answer is an error, it had come all the same.
func TestACallEndsWhenItsAnswerHasCome(t *testing.T) {
	for name, answer := range map[string]error{"result": nil, "error": ipc.Errorf("NO_INK", "no")} {
		t.Run(name, func(t *testing.T) {
			a := newAsker(t)
			a.answers <- answer
			f := &flight{msg: ipc.TargetedMessage{Message: ipc.Message{Topic: "echo.say"}}}
			require.Equal(t, answer != nil, a.sup.router.call(t.Context(), f) != nil)
			require.Equal(t, f.first.answered.Sub(f.accepted), f.ended)
		})
	}
}

// keeper answers with bytes and keeps the flight, as a service does that keeps who asked it in the handling of a call.
type keeper struct {
	instant
	kept *flight
}

func (k *keeper) Handle(_ context.Context, _ *ipc.Message, _ *ipc.Context, watch ipc.Watch) (ipc.Data, error) {
	k.kept = watch.(*delivery).flight
	watch.Settled(ipc.Settlement{Answered: time.Now(), Known: true})
	return ipc.PayloadData([]byte("large")), nil
}

func TestNobodyKeepsAnAnswer(t *testing.T) {
	for name, call := range map[string]func(*Supervisor) (ipc.Data, error){
		"of the host": func(s *Supervisor) (ipc.Data, error) { return s.Call(t.Context(), Message{Topic: "echo.say"}) },
		"of a module": func(s *Supervisor) (ipc.Data, error) {
			params, err := ipc.Pack(&ipc.TargetedMessage{Message: ipc.Message{Topic: "echo.say"}})
			require.NoError(t, err)
			return messageBus{s}.Call(t.Context(), Caller{Module: new(manifest.Module), open: true}, ipc.MethodCall, params)
		},
		"of another supervisor": func(s *Supervisor) (ipc.Data, error) {
			s.router.topics["echo.say"].rules.Export = true
			return s.serveRemote(t.Context(), RemoteCall{Message: ipc.Message{Topic: "echo.say"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Supervisor{router: instantRouter(), up: make(chan struct{})}
			close(s.up)
			talk := new(keeper)
			s.router.topics["echo.say"].offers[0].provider.talk = talk
			data, err := call(s)
			require.NoError(t, err)
			payload, _ := data.Payload()
			require.Equal(t, "large", string(payload))
			require.Zero(t, talk.kept.data)
		})
	}
}

// held is a conversation that hands over whose calls it has sent, instead of their results.
type held struct {
	*wired
	begun  chan *passage
	inside func(x *passage) // runs before HandleLater returns; may be nil
	real   bool             // somebody abandons the passage's pending call
}

// dropped is a Receiver whose results nobody gets.
type dropped struct{}

func (dropped) Written(int64)                     {}
func (dropped) Settled(ipc.Settlement)            {}
func (dropped) Ended(ipc.Data, error, *ipc.Batch) {}

func (h *held) HandleLater(p *ipc.Pending, m *ipc.Message, mc *ipc.Context, limit time.Time, to ipc.Receiver, batch *ipc.Batch) error {
	if !h.real {
		p = new(ipc.Pending) // for who uses the passage again overwrites its own
	}
	err := h.wired.HandleLater(p, m, mc, limit, dropped{}, batch)
	x := to.(*passage)
	if h.inside != nil {
		h.inside(x)
	}
	h.begun <- x
	return err
}

// A passage is used again only if nobody comes back to it.
func TestPassagesThatAreNotUsedAgain(t *testing.T) {
	answer := func(x *passage, s ipc.Settlement) {
		x.Settled(s)
		x.Ended(ipc.Data{}, nil, nil)
	}
	usual := ipc.Settlement{Answered: time.Now()}
	tests := map[string]struct {
		inside bool                                                        // the answer comes before the call has been begun
		end    func(x *passage, parent *flight, cancel context.CancelFunc) // how it ends
		real   bool                                                        // as for held
		again  bool
	}{
		"usual": {
			end:   func(x *passage, _ *flight, _ context.CancelFunc) { answer(x, usual) },
			again: true,
		},
		"who begins it has not left it": {inside: true, real: true},
		"a call is made in its handling": {
			end: func(x *passage, _ *flight, _ context.CancelFunc) {
				answer(x, ipc.Settlement{Answered: time.Now(), Known: true})
			},
		},
		"its parent is about to end it": {
			end: func(x *passage, parent *flight, _ context.CancelFunc) {
				parent.term.mu.Lock()
				parent.term.over = true // as end begins
				parent.term.mu.Unlock()
				answer(x, usual)
			},
		},
		"its caller has ended it": {
			real: true,
			end: func(x *passage, _ *flight, cancel context.CancelFunc) {
				cancel()
				<-x.request.Done()
				answer(x, usual)
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAsker(t)
			talk := &held{wired: a.talk, begun: make(chan *passage, 1), real: tt.real}
			if tt.inside {
				talk.inside = func(x *passage) { answer(x, usual) }
			}
			a.echo.talk = talk
			parent := a.parent(t.Context())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error)
			go func() { ended <- a.call(ctx, 7, "echo.say", nil) }()
			x := <-talk.begun
			<-a.received
			if tt.end != nil {
				for left := false; !left; runtime.Gosched() {
					x.mu.Lock()
					left = x.left
					x.mu.Unlock()
				}
				tt.end(x, parent, cancel)
			}
			<-ended
			a.sup.router.passing.Wait()
			require.Equal(t, tt.again, x.request == nil, "it has been given back")
		})
	}
}

func TestNothingIsDeliveredForAParentThatIsOver(t *testing.T) {
	a := newAsker(t)
	a.parent(t.Context()).term.end()
	err := a.call(t.Context(), 7, "echo.say", nil)
	require.True(t, ipc.IsCode(err, ipc.CodeCancelled), "%v", err)
	require.Equal(t, ipc.NotDelivered, ipc.AsError(err, "").Outcome)
	require.Empty(t, a.received)
}

// A module that is stuck in a child past its parent's deadline is overdue.
func TestAChildIsOverdueWithItsParent(t *testing.T) {
	a := newAsker(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(20*time.Second))
	defer cancel()
	a.parent(ctx)
	ended := make(chan error)
	go func() { ended <- a.call(t.Context(), 7, "echo.say", nil) }()
	<-a.received
	open, overdue := a.sup.router.load(a.echo, time.Now().Add(50*time.Second))
	require.Equal(t, 1, open)
	require.InDelta(t, 30*time.Second, overdue, float64(15*time.Second), "not by the topic's timeout, a minute")
	a.answers <- nil
	require.NoError(t, <-ended)
}

// What the journal says about a call keeps no frame.
func TestTheJournalKeepsNoPayloads(t *testing.T) {
	a := newAsker(t)
	payload := make([]byte, 2<<20)
	kept := func() int64 {
		for range 4 { // for what a finalizer gives back
			collected := make(chan struct{})
			runtime.AddCleanup(new([64]byte), func(c chan struct{}) { close(c) }, collected)
			runtime.GC()
			<-collected
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := kept()
	for range 40 {
		a.sup.router.mu.Lock()
		clear(a.sup.router.door.reports) // as if a second had passed
		a.sup.router.mu.Unlock()
		require.Error(t, a.call(t.Context(), 0, "no.body", payload))
	}
	require.Less(t, kept()-before, int64(30<<20))
}

// dying takes a call and is gone.
type dying struct{ silence }

func (*dying) Err() error { return net.ErrClosed }

func (*dying) Handle(_ context.Context, _ *ipc.Message, _ *ipc.Context, watch ipc.Watch) (ipc.Data, error) {
	watch.Written(1)
	<-time.After(time.Second)
	watch.Settled(ipc.Settlement{})
	return ipc.Data{}, ipc.Errorf(ipc.CodeModuleGone, "gone")
}

// The wait of a second attempt begins with the end of the first.
func TestSpansOfASecondAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := instantRouter()
		first := r.topics["echo.say"].offers[0]
		first.rules.Idempotent, first.rules.Attempts = true, 2
		first.provider.talk = &dying{}
		m := first.provider.instance.module
		r.attach(&provider{instance: &instance{module: m, id: ipc.ModuleID{Name: "echo", Version: "1.0.0", Instance: 2}}, talk: &instant{}, limit: 1})
		var queues []time.Duration
		r.spans = func(s Span) {
			if s.Name == SpanQueue {
				queues = append(queues, s.End.Sub(s.Start))
			}
		}
		r.mustCall(t, fresh)
		require.Equal(t, []time.Duration{0, 0}, queues)
	})
}
