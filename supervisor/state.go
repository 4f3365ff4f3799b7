package supervisor

// State is where an instance stands (docs/protocol.md, "Instance states").
type State string

// The states of an instance.
const (
	Waiting  State = "waiting"  // for the modules it comes after, or for a module started by hand
	Starting State = "starting" // built, spawned, connecting, in init
	Ready    State = "ready"    // takes calls
	Unready  State = "unready"  // runs and says it cannot work now; takes no calls, is not restarted
	Draining State = "draining" // takes no new calls, finishes the open ones
	Stopping State = "stopping" // was told to shut down, or is being killed
	Backoff  State = "backoff"  // ended; the next attempt is scheduled
	Failed   State = "failed"   // given up; tried again much later, or never
	Stopped  State = "stopped"  // by command, or not started yet
)

// States returns all of them.
func States() []State {
	return []State{Waiting, Starting, Ready, Unready, Draining, Stopping, Backoff, Failed, Stopped}
}
