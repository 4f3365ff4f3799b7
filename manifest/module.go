package manifest

import "slices"

// Module is one module as the supervisor runs it: every value checked, every default filled in.
// It comes from [Resolve]; treat it as read-only and it may be shared between goroutines.
type Module struct {
	// Version of the manifest's own format: "3.0", or any later "3.x".
	SchemaVersion string `key:"schema_version" for:"author" required:"true" example:"3.0"`
	// Name of the module, unique under one supervisor: lower-case letters, digits, `-` and `_`, at most 40, a letter first.
	Name string `key:"module.name" for:"author" required:"true" example:"press-model"`
	// Version of the module, as semver.org says.
	Version string `key:"module.version" for:"author" required:"true" example:"1.0.0"`
	// One line for people: what the module does.
	Description string `key:"module.description" for:"author"`
	// Who wrote it.
	Author string `key:"module.author" for:"author"`
	// Its license, as an SPDX expression such as MIT.
	License string `key:"module.license" for:"author"`
	// What the module can run as. Only `Process` is run here; a list without it is refused.
	RuntimeTargets []string `key:"module.runtime_targets" for:"author" default:"[\"Process\"]"`

	// The program to run, and how.
	Process Process `key:"artifacts.process" platforms:"true"`
	// What the module offers.
	Provides Provides `key:"provides" for:"author"`
	// What the module may use of others. Everything that is not named here is denied.
	Requires Requires `key:"requires" for:"author"`
	// Modules that start before this one, by name: `after = { historian = "ready" }`. It orders starts and
	// nothing else; what may be called is said by `requires`.
	After map[string]After `key:"after"`
	// Starting an instance.
	Start Start `key:"start"`
	// How many instances run.
	Scale Scale `key:"scale"`
	// What happens when an instance ends by itself.
	Restart Restart `key:"restart"`
	// How the supervisor finds out that an instance still works.
	Health Health `key:"health"`
	// How an instance is stopped, step by step.
	Stop Stop `key:"stop"`
	// How an instance is replaced by a new one.
	Replace Replace `key:"replace"`
	// How much of a module's output is kept.
	Logs Logs `key:"logs"`
	// How what the module keeps with the service `kv` is kept.
	KV KV `key:"kv"`
	// Rules for one topic each: `[services."press.check"]`. The topic has to be in `provides.services`.
	Services map[string]Service `key:"services"`

	// Effective configuration, secrets included: values are string, int64, float64, bool, []any and map[string]any.
	Config map[string]any

	// Path of the manifest and the directory it is in, both absolute.
	File, Dir string

	origins origins
	secret  map[string]bool // config keys whose values are never shown
}

// Provides names what a module offers.
type Provides struct {
	// Topics it answers calls on: dotted names of letters, digits, `_` and `-`.
	Services []string `key:"services"`
	// Topics of the events it publishes, or patterns of them.
	Events []string `key:"events"`
}

// Requires names what a module may use. In a pattern `*` stands for one segment of a topic, `>` at the end for all that follow.
type Requires struct {
	// Topics it may call, or patterns of them.
	Services []string `key:"services"`
	// Those of the topics, or patterns of them, that a module on another machine may answer when none here is ready.
	Remote []string `key:"remote"`
	// Topics of the events it may subscribe to, or patterns of them.
	Events []string `key:"events"`
	// Buckets of keys and values it may use beside its own: shared ones by any name, or those of other modules by theirs.
	KV []string `key:"kv"`
	// Buckets of blobs it may use beside its own, in the same way.
	Blobs []string `key:"blobs"`
}

// ID is name:version, the first part of every instance's id.
func (m *Module) ID() string { return m.Name + ":" + m.Version }

// Allows reports whether the module may call topic, by its [requires] services.
func (m *Module) Allows(topic string) bool { return allows(m.Requires.Services, topic) }

// AllowsEvent reports whether the module may subscribe to topic, by its [requires] events.
func (m *Module) AllowsEvent(topic string) bool { return allows(m.Requires.Events, topic) }

// AllowsRemote reports whether a call of topic may go to another machine, by its [requires] remote.
func (m *Module) AllowsRemote(topic string) bool { return allows(m.Requires.Remote, topic) }

// Publishes reports whether the module may publish on topic, by its [provides] events.
func (m *Module) Publishes(topic string) bool { return allows(m.Provides.Events, topic) }

func allows(patterns []string, topic string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Match(p, topic) })
}
