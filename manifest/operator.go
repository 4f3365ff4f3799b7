package manifest

import "github.com/ixtrun/ixt/manifest/internal/document"

// Operator is what supervisor.toml says: where modules are, where state is kept, and what is to be different for some of the modules.
type Operator struct {
	// Directories with modules, relative to this file.
	Modules []string `key:"modules"`
	// What the supervisor keeps on disk.
	State OperatorState `key:"state"`
	// The door for the command line.
	Admin OperatorAdmin `key:"admin"`
	// Where the spans of calls go.
	Trace OperatorTrace `key:"trace"`
	// What stands behind the services `events`, `kv` and `blob`.
	Engine OperatorEngine `key:"engine"`
	// What is kept for modules that use the service `kv`.
	KV OperatorKV `key:"kv"`
	// Changes to one module each: `[module.NAME]`, with the keys of its manifest that are not the author's alone.
	Module map[string]Override `key:"module"`

	// Path of the file and the directory it is in, both absolute.
	File, Dir string

	file string // as its reader named it
	tree *document.Node
}

// OperatorState is where and how much a supervisor keeps.
type OperatorState struct {
	// Directory for logs, the journal and all else that is kept, relative to this file. One supervisor at a time uses it.
	Dir string `key:"dir"`
	// All of the directory together.
	Max Size `key:"max" default:"2GiB" min:"1MiB"`
}

// OperatorAdmin is the socket on which a running supervisor is asked.
type OperatorAdmin struct {
	// Path of the Unix socket, relative to this file.
	Socket string `key:"socket"`
	// Group whose members may use the socket, besides the user that the supervisor runs as.
	Group string `key:"group"`
	// Address at which Prometheus may ask for `/metrics`, and for nothing else, such as `127.0.0.1:9464`. Empty: none; the socket has them always.
	Metrics string `key:"metrics"`
}

// OperatorTrace is where the spans of calls go (docs/observability.md).
type OperatorTrace struct {
	// URL of an OpenTelemetry collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`. Empty: what the environment variable OTEL_EXPORTER_OTLP_ENDPOINT says; if that is nothing, nothing is traced.
	Endpoint string `key:"endpoint"`
}

// OperatorEngine is what stands behind the services `events`, `kv` and `blob`: a part of the supervisor, or a NATS server or cluster.
type OperatorEngine struct {
	// NATS server or cluster to use, such as `nats://bus-1:4222,nats://bus-2:4222`. Empty: the engine that is part of the supervisor.
	NATS string `key:"nats"`
	// File with the credentials for it, relative to this file.
	Credentials string `key:"credentials"`
	// File with an NKey seed for it, relative to this file.
	NKey string `key:"nkey"`
	// File with the certificates of who may have signed the server's, relative to this file. Empty: those of the system.
	CA string `key:"ca"`
	// File with the certificate by which the server knows the supervisor, relative to this file.
	Cert string `key:"cert"`
	// File with its key, relative to this file.
	Key string `key:"key"`
	// Name of this supervisor among those that use the same server. Empty: the name of the machine.
	Node string `key:"node"`
	// Address on which the supervisor's own engine lets others in, such as `127.0.0.1:4222` for the `nats` tool. Empty: nobody.
	Listen string `key:"listen"`
}

// OperatorKV is how keys and values are kept by the engine that is part of the supervisor.
type OperatorKV struct {
	// When what was set is on the disk: `always` before the answer; `interval` within 2 minutes, which a power cut may cost. It is for the buckets
	// that nobody else speaks of: neither `kv.buckets` nor, for its own bucket, a module's `kv.sync`.
	Sync string `key:"sync" default:"always" enum:"always,interval"`
	// The same for single buckets, by name, whatever a manifest says: `buckets = { line-state = "interval" }`.
	Buckets map[string]string `key:"buckets" enum:"always,interval"`
}

// Override is what an operator changes for one module. Of Module only the keys that were written are set; [Resolve] lays
// them over the manifest.
type Override struct {
	Module `key:",operational"`
	// Values for the module's config keys.
	Config map[string]any `key:"config"`
	// Where the values of secret config keys come from: `secrets = { token = { env = "TOKEN" } }`.
	Secrets map[string]Secret `key:"secrets"`
}

// Secret is a place where a value is kept outside of all files of ours: one of the two. It is read by every [Resolve].
type Secret struct {
	// Environment variable of the supervisor that holds the value.
	Env string `key:"env"`
	// File that holds the value, relative to supervisor.toml; a newline at its end is not part of the value.
	File string `key:"file"`
}
