package supervisor

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ixtrun/ixt/internal/process"
)

// The names of the causes of an end that are neither an exit code nor a signal, as restart.on knows them.
const (
	causeOOM      = "oom"      // killed for lack of memory
	causeConfig   = "config"   // init refused the configuration
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
