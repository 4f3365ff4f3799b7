// Package role runs this program a second time, as the process at the other end of a peer: every peer's server is the
// benchmark's own binary in another role, so that nothing but the benchmark has to be built.
package role

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// The environment variables that give a process its role.
const (
	envRole    = "IXT_BENCH_ROLE"
	envAddress = "IXT_BENCH_ADDRESS"
)

// Func is a role: it serves at address, calls ready once it can be reached, and goes on until the process ends.
type Func func(address string, ready func()) error

// Main plays the role this process was started for and never returns then; in a process without one it does nothing.
// The process ends with its parent: standard input is a pipe that nobody writes to.
func Main(roles map[string]Func) {
	name := os.Getenv(envRole)
	if name == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	play := roles[name]
	if play == nil {
		fail(name, fmt.Errorf("there is no such role"))
	}
	if err := play(os.Getenv(envAddress), func() { _, _ = os.Stdout.Write([]byte{1}) }); err != nil {
		fail(name, err)
	}
	os.Exit(0)
}

func fail(name string, err error) {
	fmt.Fprintf(os.Stderr, "bench: role %s: %v\n", name, err)
	os.Exit(1)
}

// Process is a running role.
type Process struct {
	cmd  *exec.Cmd
	life io.Closer
}

// Start runs this program in a role and waits until it is ready.
func Start(ctx context.Context, name, address string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), envRole+"="+name, envAddress+"="+address)
	return StartCommand(cmd)
}

// StartCommand starts any program that writes a byte to its standard output when it is ready and ends when its standard
// input does, and waits for that byte.
func StartCommand(cmd *exec.Cmd) (*Process, error) {
	cmd.Stderr = os.Stderr
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, life: life}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		return nil, fmt.Errorf("%s ended before it was ready: %w", cmd.Path, p.Stop())
	}
	return p, nil
}

// Stop ends the process and waits for it.
func (p *Process) Stop() error {
	_ = p.life.Close()
	return p.cmd.Wait()
}
