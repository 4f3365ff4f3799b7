package manifest

import (
	"maps"
	"slices"
	"strings"
)

// Process is the program of a module: either `path` or `interpreter` with `entry`. Without any of them it is found
// beside the manifest, as [Module.Command] says.
type Process struct {
	// What the program speaks: `ixt` for the protocol of the SDKs, `none` for any program that is only kept running.
	Protocol string `key:"protocol" default:"ixt" enum:"ixt,none"`
	// Who may connect to an instance's socket: `process`, only the process that was started; `uid`, any process of the same user, for launchers
	// that hand over to another process.
	Peer string `key:"peer" default:"process" enum:"process,uid"`
	// The executable. With a `/` it is relative to the manifest; without, it is a file beside the manifest, else one in PATH.
	Path string `key:"path"`
	// The program that runs `entry`. With a `/` it is relative to the manifest; without, it is looked up in PATH.
	Interpreter string `key:"interpreter"`
	// The file that `interpreter` runs, relative to the manifest.
	Entry string `key:"entry"`
	// Arguments for the program, after `entry` where there is one.
	Args []string `key:"args"`
	// Environment variables to set.
	Env map[string]string `key:"env"`
	// Environment variables to pass on from the supervisor's own; a `*` at the end stands for any rest.
	// PATH, HOME, LANG, LC_*, TZ, TMPDIR, XDG_RUNTIME_DIR, SSL_CERT_FILE and SSL_CERT_DIR are always passed, others never.
	EnvPass []string `key:"env_pass"`
	// The directory the program runs in, relative to the manifest.
	Workdir string `key:"workdir" default:"."`
	// A command, run without a shell beside the manifest, that makes the program when its file is missing.
	Build []string `key:"build"`
	// Checksums of the module's files, `sha256:` and 64 hex digits by path relative to the manifest. A file that differs is not run.
	Digests map[string]string `key:"digests"`
}

// environment is what every module inherits.
func environment() []string {
	return []string{"PATH", "HOME", "LANG", "LC_*", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}
}

// Environ is the environment of an instance, sorted: of parent ("NAME=value" lines, as os.Environ gives them) the
// names that every module gets and those of EnvPass, then Env on top. Nothing else is inherited.
func (p Process) Environ(parent []string) []string {
	pass := append(environment(), p.EnvPass...)
	env := map[string]string{}
	for _, line := range parent {
		name, value, ok := strings.Cut(line, "=")
		if ok && slices.ContainsFunc(pass, func(pattern string) bool { return matchName(pattern, name) }) {
			env[name] = value
		}
	}
	maps.Copy(env, p.Env)
	lines := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		lines = append(lines, name+"="+env[name])
	}
	return lines
}

func matchName(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}
