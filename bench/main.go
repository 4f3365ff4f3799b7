// Bench measures ixt beside its peers on this machine: docs/performance.md says what is measured and how to read it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ixtrun/ixt/bench/internal/measure"
	"github.com/ixtrun/ixt/bench/internal/peer"
	"github.com/ixtrun/ixt/bench/internal/program"
	"github.com/ixtrun/ixt/bench/internal/report"
	"github.com/ixtrun/ixt/bench/internal/role"
)

func main() {
	role.Main(peer.Roles())
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2) // it has been printed
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o)
	if ctx.Err() != nil {
		err = errors.New("interrupted; everything has been stopped") // what failed because of it says nothing more
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// slack is by what factor a target may be missed before -check fails: machines are noisy.
const slack = 2

// limit is the most that one measure may take, so that nothing hangs for ever.
const limit = 10 * time.Minute

// run measures, writes what was found and checks it.
func run(ctx context.Context, o *options) (err error) {
	if o.Dir, err = os.MkdirTemp("", "ixtbench"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(o.Dir) }()
	defer socketsInMemory()()
	if o.Programs, err = program.Build(ctx, o.Dir); err != nil {
		return err
	}
	finish, err := o.Profiles.Start("bench")
	if err != nil {
		return err
	}
	r, err := ask(ctx, o)
	if err := errors.Join(err, finish()); err != nil {
		return err
	}
	r.WriteSummary(os.Stdout)
	if err := write(r, o); err != nil || !o.check {
		return err
	}
	return r.Check(slack)
}

// socketsInMemory makes XDG_RUNTIME_DIR what it is wherever somebody logs in, if it is not set: a directory in memory. On a disk, ext4
// looks at every file that was removed in the last seconds before it makes a socket, and nobody but this program makes and removes
// hundreds again and again.
func socketsInMemory() (remove func()) {
	const name = "XDG_RUNTIME_DIR"
	if os.Getenv(name) != "" {
		return func() {}
	}
	dir, err := os.MkdirTemp("/dev/shm", "ixtbench")
	if err != nil {
		return func() {} // there is no such place; then they are on a disk
	}
	_ = os.Setenv(name, dir) // the name is fine
	return func() { _ = os.RemoveAll(dir) }
}

// ask puts the questions, each of which appears as soon as it is answered.
func ask(ctx context.Context, o *options) (*report.Report, error) {
	r := report.New(o.Rounds)
	fmt.Println(r.Circumstances())
	for _, m := range measure.All(&o.Settings) {
		if !o.only.MatchString(m.Name) {
			continue
		}
		answer, err := bounded(ctx, m, &o.Settings)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		r.Measures = append(r.Measures, answer)
		if err := answer.WriteTable(os.Stdout); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func bounded(ctx context.Context, m measure.Measure, s *measure.Settings) (report.Measure, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return m.Run(ctx, s)
}

func write(r *report.Report, o *options) error {
	if o.json != "" {
		if err := r.WriteJSON(o.json); err != nil {
			return err
		}
	}
	if o.svg != "" {
		return r.WriteSVG(o.svg)
	}
	return nil
}
