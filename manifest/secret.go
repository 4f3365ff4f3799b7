package manifest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ixtrun/ixt/manifest/internal/document"
	"github.com/ixtrun/ixt/manifest/internal/keys"
)

// places is how a secret is written in supervisor.toml.
const places = `{ env = "NAME" } or { file = "PATH" }`

// checkSecrets checks the form of the places that an operator names.
func (d *decoder) checkSecrets(secrets map[string]Secret, path string) {
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		s, at := secrets[name], document.Join(strings.TrimPrefix(path+".secrets", "."), name)
		if (s.Env == "") == (s.File == "") && d.written(at) {
			d.blame(at, "has to name one place", "write "+places)
		}
	}
}

// place is where the secret is kept, as origins show it.
func (s Secret) place() string {
	if s.Env != "" {
		return "env " + s.Env
	}
	return "file " + s.File
}

// read fetches the value; a file is relative to dir.
func (s Secret) read(dir string) (text, message, remedy string) {
	if s.Env != "" {
		text, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", "environment variable " + s.Env + " is not set", "set it for the supervisor"
		}
		return text, "", ""
	}
	src, err := read(within(dir, s.File))
	if err != nil {
		return "", err.Error(), ""
	}
	if len(src) > maxFile || !utf8.Valid(src) {
		return "", s.File + " is no text of at most " + Size(maxFile).String(), "keep the value alone in a file"
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(src), "\n"), "\r"), "", ""
}

// secrets lays the values from an operator's places over the configuration of m.
func (d *decoder) secrets(m *Module, entries map[string]Entry, secrets map[string]Secret, dir string) {
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		path := document.Join("secrets", name)
		e, declared := entries[name]
		if !declared {
			d.blame(path, "is not a config key of "+m.Name, suggest(name, slices.Sorted(maps.Keys(entries))))
			continue
		}
		e.Secret = true
		text, message, remedy := secrets[name].read(dir)
		if message == "" {
			var v any
			if v, message, remedy = e.accept(textNode(e.kind(), text).Value()); message == "" {
				m.Config[name] = v
			}
		}
		if message != "" {
			d.blame(path, message, remedy)
		}
		m.secret[name] = true
		o := d.origins.of(path)
		o.layer = secrets[name].place()
		d.origins[document.Join("config", name)] = o
	}
}

// kind is how the text of a value is to be read.
func (e Entry) kind() keys.Kind {
	if e.Type == "string" {
		return keys.String
	}
	return keys.Any
}

// missing says how a value that is required can be given.
func (e Entry) missing(module, name string) (message, remedy string) {
	key := document.Join("", name)
	if e.Secret {
		env := strings.ToUpper(strings.ReplaceAll(module+"_"+name, "-", "_"))
		return "a value is required", fmt.Sprintf(
			`write [module.%s] secrets = { %s = { env = %q } } or { file = "PATH" } in supervisor.toml, or give --set '%s:secrets.%s.env=%s'`,
			module, key, env, module, key, env)
	}
	return "a value is required", fmt.Sprintf(
		`write [module.%s] config = { %s = ... } in supervisor.toml, give --set '%s:config.%s=...', or add a default here`,
		module, key, module, key)
}
