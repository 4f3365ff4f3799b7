package manifest

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/ixtrun/ixt/manifest/internal/document"
)

// check looks for what the rules of single keys cannot see: forms of names, and values that do not go together.
func (d *decoder) check(m *Module) {
	d.checkIdentity(m)
	d.checkProcess(&m.Process, "artifacts.process")
	d.checkTopics(m.Provides.Services, "provides.services", false)
	d.checkTopics(m.Provides.Events, "provides.events", false)
	d.checkTopics(m.Requires.Services, "requires.services", true)
	d.checkTopics(m.Requires.Events, "requires.events", true)
	for _, topic := range slices.Sorted(maps.Keys(m.Services)) {
		if !slices.Contains(m.Provides.Services, topic) {
			d.blame(document.Join("services", topic), "is not in provides.services", suggest(topic, m.Provides.Services))
		}
	}
	if m.Process.Protocol == "none" && len(m.Provides.Services) > 0 {
		d.blame("provides.services", `protocol "none" answers no calls`, `remove the topics, or write protocol = "ixt"`)
	}
	if _, self := m.After[m.Name]; self {
		d.blame(document.Join("after", m.Name), "a module cannot start after itself", "remove it")
	}
	if m.Restart.Max < m.Restart.Initial {
		key := "restart.max"
		if _, written := d.origins[key]; !written {
			key = "restart.initial"
		}
		d.blame(key, fmt.Sprintf("max, %q, is less than initial, %q", m.Restart.Max, m.Restart.Initial),
			fmt.Sprintf("write max = %q or more", m.Restart.Initial))
	}
	for _, cause := range slices.Sorted(maps.Keys(m.Restart.On)) {
		if !slices.Contains(causes(), cause) && !regexp.MustCompile(`^(exit ([1-9]?[0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])|SIG[A-Z0-9]+)$`).MatchString(cause) {
			d.blame(document.Join("restart.on", cause), "is no cause of an end", suggest(cause, append(causes(), "exit 1", "SIGKILL")))
		}
	}
}

func (d *decoder) checkIdentity(m *Module) {
	if v := m.SchemaVersion; d.written("schema_version") && !regexp.MustCompile(`^3\.(0|[1-9][0-9]*)$`).MatchString(v) {
		d.blame("schema_version", fmt.Sprintf("%q is a format that is not read here", v), `write "3.0"`)
	}
	if d.written("module.name") {
		if message, remedy := checkName(m.Name); message != "" {
			d.blame("module.name", message, remedy)
		}
	}
	if d.written("module.version") {
		if _, err := semver.StrictNewVersion(m.Version); err != nil {
			d.blame("module.version", fmt.Sprintf("%q is no version", m.Version), "write major.minor.patch, such as "+strconv.Quote(nearVersion(m.Version)))
		}
	}
	if !slices.ContainsFunc(m.RuntimeTargets, func(t string) bool { return strings.EqualFold(t, "Process") }) {
		d.blame("module.runtime_targets", "has no target that is run here", `add "Process"`)
	}
}

// written reports whether the key was given a value of its type, and so is worth a look at its form.
func (d *decoder) written(path string) bool {
	_, ok := d.origins[path]
	return ok && !slices.ContainsFunc(d.problems, func(p Problem) bool { return p.Key == path })
}

const maxName = 40

// checkName says what is wrong with the name of a module. It becomes part of directory names and of instance ids.
func checkName(name string) (message, remedy string) {
	switch {
	case len(name) > maxName:
		return fmt.Sprintf("%s has %d characters, a name has at most %d", brief(name), len(name), maxName), "shorten it"
	case regexp.MustCompile(`^[a-z][a-z0-9_-]*$`).MatchString(name):
		return "", ""
	}
	remedy = "write lower-case letters, digits, - and _, a letter first"
	better := regexp.MustCompile(`[^a-z0-9_-]+`).ReplaceAllString(strings.ToLower(name), "-")
	if better = strings.Trim(strings.TrimLeft(better, digits+"_-"), "_-"); better != "" {
		remedy += ", such as " + strconv.Quote(better)
	}
	return brief(name) + " is no name for a module", remedy
}

// nearVersion is the strict version that a loose one such as v1.2 stands for.
func nearVersion(version string) string {
	if v, err := semver.NewVersion(version); err == nil {
		return v.String()
	}
	return "1.0.0"
}

func (d *decoder) checkTopics(topics []string, path string, wildcards bool) {
	seen := map[string]bool{}
	for i, topic := range topics {
		at := fmt.Sprintf("%s[%d]", path, i)
		if message, remedy := checkTopic(topic, wildcards); message != "" {
			d.blame(at, message, remedy)
		} else if seen[topic] {
			d.blame(at, fmt.Sprintf("%q is given twice", topic), "keep one of them")
		}
		seen[topic] = true
	}
}

// checkProcess checks the keys of a process, which are below path.
func (d *decoder) checkProcess(p *Process, path string) {
	at := func(key string) string { return strings.TrimPrefix(path+"."+key, ".") }
	switch {
	case p.Path != "" && (p.Interpreter != "" || p.Entry != ""):
		d.blame(at("path"), "path and interpreter exclude each other", "keep path and args, or interpreter, entry and args")
	case p.Interpreter != "" && p.Entry == "":
		d.blame(at("interpreter"), "interpreter without entry", `add entry = "FILE", the file it runs`)
	case p.Entry != "" && p.Interpreter == "":
		d.blame(at("entry"), "entry without interpreter", `add interpreter = "python3" or another; for an executable write path instead of entry`)
	}
	if len(p.Build) == 0 && d.written(at("build")) || len(p.Build) > 0 && p.Build[0] == "" {
		d.blame(at("build"), "names no program", `write the program and its arguments, such as ["go", "build", "-o", "press", "."]`)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			d.blame(document.Join(at("env"), name), "is no name of an environment variable", "use letters, digits and _")
		}
	}
	for i, name := range p.EnvPass {
		if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\*?$`).MatchString(name) {
			d.blame(fmt.Sprintf("%s[%d]", at("env_pass"), i), brief(name)+" is no name of an environment variable", `use letters, digits and _, with * at the end for any rest; values belong in env`)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(p.Digests)) {
		key := document.Join(at("digests"), file)
		if !filepath.IsLocal(file) {
			d.blame(key, "is not a file below the manifest's directory", "write a path relative to the manifest, without ..")
		}
		if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(p.Digests[file]) {
			d.blame(key, brief(p.Digests[file])+" is no digest", `write "sha256:" and the 64 hex digits that sha256sum prints`)
		}
	}
}
