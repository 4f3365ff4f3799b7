package module

import (
	"encoding/json"
)

// Config is the effective configuration that init brought.
type Config struct{ raw json.RawMessage }

// Raw returns the configuration as it came, a JSON object.
func (c Config) Raw() json.RawMessage {
	if len(c.raw) == 0 {
		return json.RawMessage("{}")
	}
	return c.raw
}

// Decode decodes the configuration into v, a pointer to a struct or a map. Keys find their fields like in encoding/json, and
// max_items also finds MaxItems. A field without a key keeps its value, so defaults may be set before; a time.Duration is
// text like "5s".
//
// Decode is strict: a key without a field is an error, so that a typing error shows, and no value is converted. The error
// is CONFIG_INVALID, names every wrong key ("config.limit") and what was expected; Init returns it as it is.
func (c Config) Decode(v any) error { return decodeConfig(c.Raw(), v) }
