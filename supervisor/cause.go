package supervisor

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ixtrun/ixt/internal/process"
	"github.com/ixtrun/ixt/manifest"
)

// The names of the causes of an end that are neither an exit code nor a signal, as restart.on knows them.
const (
	causeOOM      = "oom"      // killed for lack of memory
	causeConfig   = "config"   // init refused the configuration
	causeProgram  = "program"  // there is no program that could be started: missing, not executable, for another machine, changed
	causeStart    = "start"    // could not be started, or not in time
	causeBuild    = "build"    // could not be built
	causeHealth   = "health"   // the watchdog found it sick or hung
	causeProtocol = "protocol" // broke the wire
	causeClosed   = "closed"   // closed its connection and lived on
)

// causesOf names how a process ended, the closest name first.
func causesOf(e process.Exit, outOfMemory bool) []string {
	switch {
	case outOfMemory:
		return []string{causeOOM, unix.SignalName(e.Signal), "signal"}
	case e.Signal != 0:
		return []string{unix.SignalName(e.Signal), "signal"}
	}
	return []string{fmt.Sprintf("exit %d", e.Code), "exit"}
}

// isProgramAtFault reports whether a failed start fails again until somebody changes the program or its manifest.
func isProgramAtFault(err error) bool {
	var entry *manifest.EntryError
	var digests manifest.Problems
	var start *process.StartError
	if errors.As(err, &start) {
		return start.Reason != process.NoResources && start.Reason != process.Other
	}
	return errors.As(err, &entry) || errors.As(err, &digests)
}
