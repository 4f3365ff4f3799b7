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
