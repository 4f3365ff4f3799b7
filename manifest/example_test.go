package manifest_test

import (
	"fmt"

	"github.com/ixtrun/ixt/manifest"
)

// From the files of a module to what runs, and where each value of it comes from.
func Example() {
	m, err := manifest.Parse("manifest.toml", []byte(`
schema_version = "3.0"
[module]
name = "press"
version = "1.0.0"
[provides]
services = ["press.check"]
[config]
limit = { type = "float", default = 5.0 }
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	op, err := manifest.ParseOperator("supervisor.toml", []byte(`
[module.press]
config = { limit = 7.5 }
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := manifest.ParseSet("press:restart.give_up=10")
	if err != nil {
		fmt.Println(err)
		return
	}
	module, err := manifest.Resolve(m, op, set)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range module.Settings() {
		if s.Key == "config.limit" || s.Key == "restart.give_up" || s.Key == "restart.max" {
			fmt.Println(s.Key, s.Value, s.Origin)
		}
	}
	// Output:
	// config.limit 7.5 supervisor.toml:3
	// restart.give_up 10 flag --set
	// restart.max "30s" default
}

// All mistakes at once, each with its place and what to write instead.
func ExampleParse() {
	_, err := manifest.Parse("manifest.toml", []byte(`schema_version = "3.0"
module = { name = "press", version = "1.0.0" }
helth.interval = "5s"
config.port = { type = "integer", default = "80" }
`))
	fmt.Println(err)
	// Output:
	// manifest.toml:3:1: helth: unknown key; did you mean health?
	// manifest.toml:4:45: config.port: default "80" is a string, type says integer; write 80
}
