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
	// Whether of all supervisors on one NATS server only one runs the module, with one instance: docs/cluster.md.
	Singleton bool `key:"singleton" default:"false"`
}

// Restart is the policy for an instance that ended without being asked to.
type Restart struct {
	// Wait before the restart of an instance that was ready when it ended, and has no earlier failure to its account.
	First Duration `key:"first" default:"0s" min:"0s"`
	// Wait before the next restart, and after a failed start; it doubles with every further one.
	Initial Duration `key:"initial" default:"200ms" min:"1ms"`
	// Longest wait between two restarts.
	Max Duration `key:"max" default:"30s" min:"1ms"`
	// Share of each wait that is left to chance, so that instances do not restart in step: 0.2 is 20 % more or less.
	Jitter float64 `key:"jitter" default:"0.2" min:"0" max:"1"`
	// Health this long makes the earlier failures forgotten.
	Forgive Duration `key:"forgive" default:"60s" min:"0s"`
	// Failures within `window` after which the instance is failed. Failed starts and ends of a ready instance are counted apart.
	GiveUp int `key:"give_up" default:"5" min:"1"`
	// As `give_up`, for failed starts. 0: as `give_up`.
	GiveUpStarts int `key:"give_up_starts" default:"0" min:"0"`
	// Span of time in which failures are counted for `give_up`.
	Window Duration `key:"window" default:"5m" min:"1ms"`
	// A failed instance is tried again after this. `0s`: only by hand.
	Retry Duration `key:"retry" default:"1h" min:"0s"`
	// What follows an end of a certain cause: `on = { "exit 0" = "stop", SIGSEGV = "fail" }`. Causes: `exit` and `exit N`, `signal`
	// and the name of one, `oom`, `config` (a refused configuration), `program` (missing, or none for this machine), `start`, `build`, `health`, `protocol`, `closed`; the closest
	// counts. `restart`: as above. `fail`: failed at once. `stop`: not started again but by hand.
	On map[string]string `key:"on" enum:"restart,fail,stop"`
	// Modules of one group are restarted together: when one of them is restarted after a failure, so are the others.
	Group string `key:"group"`
}

// causes are those that the keys of [Restart.On] may name, beside exit codes and signals.
func causes() []string {
	return []string{"exit", "signal", "oom", "config", "program", "start", "build", "health", "protocol", "closed"}
}

// Reaction is what On says about the causes of an end, the closest first; "" if it says nothing.
func (r Restart) Reaction(causes ...string) string {
	for _, cause := range causes {
		if reaction := r.On[cause]; reaction != "" {
			return reaction
		}
	}
	return ""
}

// Health is the polling of a module's health.
type Health struct {
	// Time between two polls. `0s`: no polling.
	Interval Duration `key:"interval" default:"10s" min:"0s"`
	// A poll without an answer for this long has failed.
	Timeout Duration `key:"timeout" default:"3s" min:"1ms"`
	// Failed polls in a row after which the instance is restarted.
	Failures int `key:"failures" default:"3" min:"1"`
	// A call this long past its deadline shows that the instance hangs, whatever it answers to polls. `0s`: never.
	Overdue Duration `key:"overdue" default:"30s" min:"0s"`
	// Signal that makes a hung instance tell where it hangs, before it is killed: `auto` is SIGQUIT for modules made with our SDKs.
	Dump string `key:"dump" default:"auto" enum:"auto,none,SIGQUIT,SIGABRT"`
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

// KV is how the module's own bucket of keys and values is kept by the engine that is part of the supervisor.
type KV struct {
	// When what was set is on the disk: `always` before the answer; `interval` within 2 minutes, which a power cut may cost. Empty: as supervisor.toml says
	// under `kv.sync`.
	Sync string `key:"sync" enum:"always,interval"`
}

// Service is how calls on one provided topic are treated.
type Service struct {
	// Longest time one call may take when the caller names no shorter one.
	Timeout Duration `key:"timeout" default:"30s" min:"1ms"`
	// Calls handled at the same time by one instance. 0: as many as the module declares.
	Concurrency int `key:"concurrency" default:"0" min:"0"`
	// Calls that may wait for a free instance; one more is refused. 0: none waits.
	Queue int `key:"queue" default:"64" min:"0"`
	// Whether handling a call twice does no harm, so that one whose instance died is sent to another.
	Idempotent bool `key:"idempotent" default:"false"`
	// How often such a call is sent in all.
	Attempts int `key:"attempts" default:"3" min:"1"`
	// Whether supervisors on other machines may call it.
	Export bool `key:"export" default:"false"`
}
