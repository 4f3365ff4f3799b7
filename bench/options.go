package main

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"github.com/ixtrun/ixt/bench/internal/measure"
)

// options are the command line.
type options struct {
	measure.Settings
	only      *regexp.Regexp
	json, svg string
	check     bool
}

// parse reads the command line. An error has been printed.
func parse(args []string) (*options, error) {
	o := &options{Settings: measure.Settings{
		Rounds: 9, For: time.Second, Idle: 30 * time.Second, Instances: 200, Starts: 200, Crowd: 1000, Peers: regexp.MustCompile(""),
	}, only: regexp.MustCompile("")}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := f.Bool("quick", false, "less of everything, in under a minute: the ratios are rougher")
	f.IntVar(&o.Rounds, "rounds", o.Rounds, "rounds over which medians are taken, default with -quick: 5")
	f.DurationVar(&o.For, "time", o.For, "time of each load in each round, default with -quick: 100ms")
	f.TextVar(o.only, "only", o.only, "measure only what matches this `regexp`")
	f.TextVar(o.Peers, "peers", o.Peers, "put load only on peers that match this `regexp`")
	f.StringVar(&o.json, "json", "", "write everything into this `file`")
	f.StringVar(&o.svg, "svg", "", "draw the ratios into this `file`")
	f.BoolVar(&o.check, "check", false, fmt.Sprintf("fail if a target, or what has been reached of it, is missed by more than a factor of %d", slack))
	f.StringVar(&o.Profiles.CPU, "cpuprofile", "", "write CPU profiles of this process and of the modules under load into this `directory`")
	f.StringVar(&o.Profiles.Alloc, "memprofile", "", "the same of allocations, into this `directory`")
	f.StringVar(&o.Profiles.Block, "blockprofile", "", "the same of waits, into this `directory`")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if *quick {
		o.hurry(f)
	}
	return o, o.valid(f)
}

// hurry lowers what the command line does not name.
func (o *options) hurry(f *flag.FlagSet) {
	named := map[string]bool{}
	f.Visit(func(given *flag.Flag) { named[given.Name] = true })
	if !named["rounds"] {
		o.Rounds = 5
	}
	if !named["time"] {
		o.For = 100 * time.Millisecond
	}
	o.Idle, o.Starts, o.Crowd = 10*time.Second, 100, 0
}

// valid checks and completes what the flag package cannot.
func (o *options) valid(f *flag.FlagSet) (err error) {
	for _, dir := range []*string{&o.Profiles.CPU, &o.Profiles.Alloc, &o.Profiles.Block} {
		if *dir == "" {
			continue
		}
		if *dir, err = filepath.Abs(*dir); err != nil { // modules have another working directory
			break
		}
	}
	switch {
	case f.NArg() > 0:
		err = fmt.Errorf("%q is no flag", f.Arg(0))
	case o.Rounds < 1 || o.For <= 0:
		err = errors.New("-rounds and -time must be more than 0")
	}
	if err != nil {
		fmt.Fprintln(f.Output(), err)
	}
	return err
}
