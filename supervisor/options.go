package supervisor

import (
	"github.com/ixtrun/ixt/manifest"
)

// Options configure a Supervisor. Everything but Dirs may stay empty.
type Options struct {
	// Dirs are searched for manifests; a directory may also be named by its manifest file.
	Dirs []string
	// Operator overrides what the manifests say, and bounds the state directory. Its Modules are searched like Dirs.
	// Default: manifest.NoOperator.
	Operator *manifest.Operator
	// Set overrides both, as --set does.
	Set []manifest.Set
	// StateDir keeps logs and the journal. No two supervisors share one. Default: a private one that goes with the
	// supervisor. Its bound, Operator.State.Max, is shared evenly by the modules, each within its own logs.max_size.
	StateDir string
	// OnDemand starts a module only when one of its topics is called, or when one that comes after it is started.
	OnDemand bool
	// Open lets every module call every topic, whatever its manifest requires. For experiments.
	Open bool
	// Build runs every module's build command before its first start, not only when the artifact is missing.
	Build bool
	// ByHand names modules that a person starts, in a debugger say: the supervisor waits for them to connect, spawns
	// nothing, checks no health and sets no default deadlines, and waits again when they go.
	ByHand map[string]bool
	// Services are offered to modules beside the message bus.
	Services []Service
	// Engine stands behind further services. The supervisor opens and closes it; it may serve one supervisor only.
	Engine Engine
	// Spans gets every part of every call when it has ended, on the goroutine of the call: it must not block, and is called
	// concurrently until Run has returned. Default: nobody traces, which costs nothing.
	Spans func(Span)
}
