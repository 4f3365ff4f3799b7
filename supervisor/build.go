package supervisor

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ixtrun/ixt/internal/process"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// buildTimeout bounds one module's build.
const buildTimeout = 15 * time.Minute

// builds runs the modules' build commands, one at a time: two compilers at once are slower than one after the other.
type builds struct {
	s     *Supervisor
	turn  chan struct{}   // held by who builds
	done  map[string]bool // modules that need no more building; guarded by turn
	first map[string]firstBuild
}

// firstBuild is a latch: ended is done when a module has been built for the first time, with success or without, or need not be.
type firstBuild struct {
	ended context.Context
	end   context.CancelFunc
}

func newBuilds(s *Supervisor) *builds {
	return &builds{s: s, turn: make(chan struct{}, 1), done: map[string]bool{}, first: map[string]firstBuild{}}
}

// declare makes a module known whose first build callers may wait for.
func (b *builds) declare(m *manifest.Module) {
	if len(m.Process.Build) > 0 {
		var f firstBuild
		f.ended, f.end = context.WithCancel(context.Background())
		b.first[m.Name] = f
	}
}

// await waits for the first builds of modules that are wanted, and of those they come after.
func (b *builds) await(ctx context.Context, names []string) {
	for _, name := range names {
		u := b.s.byName[name]
		if u == nil || u.wants() != running {
			continue
		}
		b.await(ctx, slices.Collect(maps.Keys(u.m.After)))
		if first, ok := b.first[name]; ok {
			select {
			case <-first.ended.Done():
			case <-ctx.Done():
			}
		}
	}
}

// run builds the module if it must be built and has not been.
func (b *builds) run(ctx context.Context, in *instance) error {
	m := in.module
	if len(m.Process.Build) == 0 {
		return nil
	}
	defer b.first[m.Name].end()
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if b.done[m.Name] || !b.s.opts.Build && !m.NeedsBuild() {
		return nil
	}
	in.enter(Starting, "building "+m.Dir)
	ctx, cancel := context.WithTimeoutCause(ctx, buildTimeout, fmt.Errorf("not finished after %s", buildTimeout))
	defer cancel()
	began := time.Now()
	if err := b.build(ctx, m); err != nil {
		return err
	}
	b.done[m.Name] = true
	b.s.journal.add(Entry{Kind: KindBuild, Module: m.Name,
		Text: fmt.Sprintf("building %s ... %.1f s", m.Dir, time.Since(began).Seconds())})
	return nil
}

func (b *builds) build(ctx context.Context, m *manifest.Module) error {
	argv := m.Process.Build
	failed := func(why string) error {
		return fmt.Errorf("building %s: %s: %s", m.Dir, strings.Join(argv, " "), why)
	}
	path, err := buildTool(m.Dir, argv[0])
	if err != nil {
		return failed(err.Error())
	}
	var out output
	stdout, stderr, err := out.open(b.s.logs, ipc.ModuleID{Name: m.Name, Version: m.Version})
	if err != nil {
		return err
	}
	began := time.Now()
	proc, err := b.s.spawner.Start(process.Spec{Path: path, Args: argv[1:], Dir: m.Dir, Env: os.Environ(), Stdout: stdout, Stderr: stderr})
	stdout.Close()
	stderr.Close()
	if err != nil {
		out.close()
		return failed(err.Error())
	}
	select {
	case <-proc.Exited():
	case <-ctx.Done():
		_ = proc.SignalGroup(syscall.SIGKILL)
		awaitExit(proc.Exited())
	}
	if !isDone(proc.Exited()) {
		out.close()
		return failed(fmt.Sprintf("process %d did not die within %s of SIGKILL; it is left behind", proc.PID(), unkillable))
	}
	exit := proc.Reap()
	out.close()
	if ctx.Err() != nil {
		return failed(context.Cause(ctx).Error())
	}
	if !exit.Success() {
		return failed(exit.String() + b.lastLines(m.Name, began))
	}
	return nil
}

// lastLines is the end of what a failed build wrote.
func (b *builds) lastLines(module string, since time.Time) string {
	var text strings.Builder
	for _, e := range b.s.logs.Recent(module, 0, 10) {
		if !e.Received.Before(since) {
			text.WriteString("\n  " + e.Message)
		}
	}
	return text.String()
}

// buildTool finds the program of a build command: one with a slash is relative to the manifest.
func buildTool(dir, name string) (string, error) {
	if strings.Contains(name, "/") {
		if filepath.IsAbs(name) {
			return name, nil
		}
		return filepath.Join(dir, name), nil
	}
	return exec.LookPath(name)
}
