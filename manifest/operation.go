package manifest

// After says what another module must have reached before this one starts.
type After struct {
	// What to wait for: `ready` is a module whose init has succeeded.
	Until string `key:"until" default:"ready" enum:"ready" short:"true"`
	// Whether this module is restarted when the other one is.
	Restart bool `key:"restart" default:"false"`
}

// Start bounds the start of an instance.
type Start struct {
	// From spawning the process to its answer to init; then it is killed and counts as failed.
	Timeout Duration `key:"timeout" default:"30s" min:"1ms"`
}

// Scale says how many instances of a module run.
type Scale struct {
	// Instances that share the module's calls.
	Instances int `key:"instances" default:"1" min:"1" max:"999"`
}

// Restart is the policy for an instance that ended without being asked to.
type Restart struct {
	// Wait before the first restart; it doubles with every further one.
	Initial Duration `key:"initial" default:"200ms" min:"1ms"`
	// Longest wait between two restarts.
	Max Duration `key:"max" default:"30s" min:"1ms"`
	// Share of each wait that is left to chance, so that instances do not restart in step: 0.2 is 20 % more or less.
	Jitter float64 `key:"jitter" default:"0.2" min:"0" max:"1"`
	// Health this long makes the earlier failures forgotten.
	Forgive Duration `key:"forgive" default:"60s" min:"0s"`
	// Failures within `window` after which the instance is failed.
	GiveUp int `key:"give_up" default:"5" min:"1"`
	// Span of time in which failures are counted for `give_up`.
	Window Duration `key:"window" default:"5m" min:"1ms"`
	// A failed instance is tried again after this. `0s`: only by hand.
	Retry Duration `key:"retry" default:"1h" min:"0s"`
}

// Health is the polling of a module's health.
type Health struct {
	// Time between two polls. `0s`: no polling.
	Interval Duration `key:"interval" default:"10s" min:"0s"`
	// A poll without an answer for this long has failed.
	Timeout Duration `key:"timeout" default:"3s" min:"1ms"`
	// Failed polls in a row after which the instance is restarted.
	Failures int `key:"failures" default:"3" min:"1"`
}

// Stop bounds each step of stopping an instance; a step that takes longer is given up and the next one follows.
type Stop struct {
	// First: no new calls, the running ones end.
	Drain Duration `key:"drain" default:"10s" min:"0s"`
	// Second: the shutdown message and the end of the process.
	Shutdown Duration `key:"shutdown" default:"10s" min:"0s"`
	// Third: SIGTERM to the process group. SIGKILL follows.
	Term Duration `key:"term" default:"5s" min:"0s"`
}

// Replace is how a restart by hand, or with a new version, exchanges an instance.
type Replace struct {
	// `stop-first`: the old instance is stopped, then the new one started. `start-first`: the new one is ready before the old one drains.
	Mode string `key:"mode" default:"stop-first" enum:"stop-first,start-first"`
}

// Logs limits the log files of a module; the oldest entries go first.
type Logs struct {
	// All log files of the module together.
	MaxSize Size `key:"max_size" default:"8MiB" min:"64KiB"`
	// Entries older than this are dropped.
	MaxAge Duration `key:"max_age" default:"336h" min:"1m"`
}

// Service is how calls on one provided topic are treated.
type Service struct {
	// Longest time one call may take when the caller names no shorter one.
	Timeout Duration `key:"timeout" default:"30s" min:"1ms"`
	// Calls handled at the same time by one instance. 0: as many as the module declares.
	Concurrency int `key:"concurrency" default:"0" min:"0"`
	// Calls that may wait for a free instance; one more is refused. 0: none waits.
	Queue int `key:"queue" default:"64" min:"0"`
	// Whether handling a call twice does no harm, so that one with an unknown outcome may be sent again.
	Idempotent bool `key:"idempotent" default:"false"`
	// Whether supervisors on other machines may call it.
	Export bool `key:"export" default:"false"`
}
