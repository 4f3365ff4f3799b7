package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/ixtrun/ixt/internal/process"
	"github.com/ixtrun/ixt/ipc"
)

// start brings a process to ready. On an error p holds what exists so far; end clears it away.
func (in *instance) start(life context.Context, p *incarnation) error {
	ctx, cancel := in.startContext(life, p)
	defer cancel()
	if err := in.open(p); err != nil {
		return err
	}
	if !p.byHand {
		if err := in.spawn(p); err != nil {
			return err
		}
	}
	connecting, unwatch := untilExit(ctx, p)
	err := p.talk.Connect(connecting)
	unwatch()
	if err != nil {
		return in.startFailed(ctx, p, "it connected", err)
	}
	config, err := json.Marshal(in.module.Config)
	if err != nil {
		return fmt.Errorf("encoding the configuration: %w", err)
	}
	answer, err := p.talk.Init(ctx, config, ipc.DefaultMaxFrame)
	if err != nil {
		return in.startFailed(ctx, p, "it answered init", err)
	}
	in.admit(p, answer)
	return nil
}

var (
	errStartTimeout = errors.New("start timeout")
	errExited       = errors.New("process exited")
)

func (in *instance) startContext(life context.Context, p *incarnation) (context.Context, context.CancelFunc) {
	if p.byHand {
		return context.WithCancel(life)
	}
	return context.WithTimeoutCause(life, in.module.Start.Timeout.Std(), errStartTimeout)
}

// open prepares the conversation.
func (in *instance) open(p *incarnation) (err error) {
	driver := in.s.driver(in, p)
	if driver == nil {
		return fmt.Errorf("no driver for protocol %q", in.module.Process.Protocol)
	}
	socket := in.s.sockets.Socket(fmt.Sprintf("%s-%03d", in.id.Name, in.id.Instance))
	p.talk, err = driver.Open(in.id, socket, func(c *net.UnixConn) error { return in.accept(p, c) })
	if err == nil && p.byHand {
		in.enter(Waiting, "for the module to be started by hand", func(r *record) { r.Socket = socket })
	}
	return err
}

// accept refuses connections that do not come from the process or its descendants.
func (in *instance) accept(p *incarnation, c *net.UnixConn) error {
	peer, err := process.PeerOf(c)
	switch {
	case err != nil:
	case peer.UID != os.Getuid() && peer.UID != 0:
		err = fmt.Errorf("its user %d is not the supervisor's", peer.UID)
	case p.byHand || in.module.Process.Peer == "uid":
	case !process.Descends(peer.PID, p.proc.PID()):
		err = fmt.Errorf("its process %d is not the module's; set peer = \"uid\" under [artifacts.process] to accept any process of the user", peer.PID)
	}
	if err != nil {
		in.s.journal.add(Entry{Kind: KindRefused, Module: in.id.Name, Instance: in.id.Instance, PID: peer.PID, Text: "connection refused: " + err.Error()})
	}
	return err
}

// spawn starts the process in a group of its own, with its output going to the log.
func (in *instance) spawn(p *incarnation) error {
	if err := in.module.VerifyDigests(); err != nil {
		return err
	}
	command, err := in.module.Command()
	if err != nil {
		return err
	}
	stdout, stderr, err := p.output.open(in.s.logs, in.id)
	if err != nil {
		return err
	}
	defer stdout.Close()
	defer stderr.Close()
	p.mark = in.mark()
	p.proc, err = in.s.spawner.Start(process.Spec{
		Path:   command.Path,
		Args:   command.Args,
		Dir:    command.Dir,
		Env:    append(append(in.module.Process.Environ(os.Environ()), p.talk.Environ()...), envRun+"="+p.mark),
		Stdout: stdout,
		Stderr: stderr,
	})
	if err != nil {
		return err
	}
	in.enter(Starting, "spawned", func(r *record) { r.PID, r.Started = p.proc.PID(), p.proc.StartTime() })
	return nil
}

// untilExit returns ctx ended early if the process exits.
func untilExit(ctx context.Context, p *incarnation) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-p.exited():
			cancel(errExited)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-watched
	}
}

// startFailed finds the reason behind a failed step: the process's exit and the timeout explain more than a closed socket.
func (in *instance) startFailed(ctx context.Context, p *incarnation, step string, err error) error {
	var refused *ipc.Error
	if errors.As(err, &refused) && refused.Outcome == ipc.Done {
		return err // its own words say more than its exit
	}
	if p.proc != nil && ctx.Err() == nil {
		in.wait(lingering, p.exited())
	}
	select {
	case <-p.exited():
		p.died = true
		return &earlyError{step: step, p: p}
	default:
	}
	if errors.Is(context.Cause(ctx), errStartTimeout) {
		return &earlyError{step: step, p: p, waited: in.module.Start.Timeout.Std()}
	}
	return err
}

// earlyError is a process that ended, or ran out of time, before a step of its start.
type earlyError struct {
	step   string
	waited time.Duration // 0: it ended by itself
	p      *incarnation
	last   string // what it said last
}

func (e *earlyError) Error() string {
	var b strings.Builder
	if e.waited > 0 {
		fmt.Fprintf(&b, "ran for %s, but not until %s", e.waited, e.step)
	} else {
		fmt.Fprintf(&b, "%s before %s", e.p.exit, e.step)
	}
	if e.last != "" {
		b.WriteString(": " + e.last)
	}
	if e.step == "it connected" && (e.waited > 0 || e.p.exit.Success()) {
		b.WriteString(` (not an ixt module? set protocol = "none" under [artifacts.process])`)
	}
	return b.String()
}

// admit opens the instance to calls.
func (in *instance) admit(p *incarnation, answer *ipc.InitResult) {
	p.provider = &provider{
		instance: in,
		talk:     p.talk,
		limit:    max(answer.MaxConcurrency, 1),
		serial:   answer.MaxConcurrency <= 0,
		idle:     make(chan struct{}),
	}
	p.ready, p.sdk = time.Now(), answer.SDK
	in.mu.Lock()
	in.provider = p.provider
	in.mu.Unlock()
	in.enter(Ready, "", func(r *record) { r.SDK, r.Limit, r.ReadyAt = answer.SDK, p.provider.limit, p.ready })
	in.s.router.attach(p.provider)
	if engine := in.s.opts.Engine; engine != nil {
		engine.Ready(in.s.caller(in, p))
	}
}
