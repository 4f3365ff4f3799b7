package manifest

import "github.com/ixtrun/ixt/manifest/internal/document"

// Manifest is what manifest.toml says: the module as its author describes it, with defaults filled in, and the
// declarations of its configuration. What runs is the [Module] that [Resolve] makes of it.
type Manifest struct {
	Module `key:",all"`
	// What can be configured, by name: `[config] limit = { type = "float", default = 5.0 }`.
	Config map[string]Entry `key:"config" for:"author"`

	file string // as its reader named it
	tree *document.Node
}

// Entry declares one key of a module's configuration.
type Entry struct {
	// The type of its values. Nothing is converted, except that an integer may be written where a float is asked for.
	Type string `key:"type" required:"true" enum:"string,integer,float,boolean,array,table" example:"string"`
	// Whether a value has to be given when there is no default.
	Required bool `key:"required" default:"false"`
	// The value when none is given.
	Default any `key:"default"`
	// One line for people: what it is for, and its unit.
	Description string `key:"description"`
	// The only values allowed.
	Enum []any `key:"enum"`
	// Smallest value; the least length for strings (in characters) and arrays.
	Min any `key:"min" number:"true"`
	// Largest value; the greatest length for strings (in characters) and arrays.
	Max any `key:"max" number:"true"`
	// Whether the value is never to be shown or logged. It is then given by `secrets` in supervisor.toml and in no other way.
	Secret bool `key:"secret" default:"false"`
}
