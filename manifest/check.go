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

// The forms of texts that are names or the like.
var (
	formatVersion = regexp.MustCompile(`^3\.(0|[1-9][0-9]*)$`)
	moduleName    = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
	bucketName    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	noModuleName  = regexp.MustCompile(`[^a-z0-9_-]+`)
	inherited     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\*?$`)
	sha256Digest  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	exitOrSignal  = regexp.MustCompile(`^(exit ([1-9]?[0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])|SIG[A-Z0-9]+)$`)
)

// check looks for what the rules of single keys cannot see: forms of names, and values that do not go together.
func (d *decoder) check(m *Module) {
	d.checkIdentity(m)
	d.checkProcess(&m.Process, "artifacts.process")
	provided := d.checkTopics(m.Provides.Services, "provides.services", false)
	d.checkTopics(m.Provides.Events, "provides.events", true)
	d.checkTopics(m.Requires.Services, "requires.services", true)
	d.checkTopics(m.Requires.Remote, "requires.remote", true)
	d.checkTopics(m.Requires.Events, "requires.events", true)
	d.checkBuckets(m.Requires.KV, "requires.kv")
	d.checkBuckets(m.Requires.Blobs, "requires.blobs")
	for _, topic := range slices.Sorted(maps.Keys(m.Services)) {
		if !slices.Contains(m.Provides.Services, topic) {
			d.blame(document.Join("services", topic), "is not in provides.services", suggest(topic, provided))
		}
	}
	if m.Process.Protocol == "none" && len(m.Provides.Services) > 0 {
		d.blame("provides.services", `protocol "none" answers no calls`, `remove the topics, or write protocol = "ixt"`)
	}
	if _, self := m.After[m.Name]; self {
		d.blame(document.Join("after", m.Name), "a module cannot start after itself", "remove it")
	}
	d.checkSingleton(m)
	if m.Restart.Max < m.Restart.Initial {
		key := "restart.max"
		if _, written := d.origins[key]; !written {
			key = "restart.initial"
		}
		d.blame(key, fmt.Sprintf("max, %q, is less than initial, %q", m.Restart.Max, m.Restart.Initial),
			fmt.Sprintf("write max = %q or more", m.Restart.Initial))
	}
	for _, cause := range slices.Sorted(maps.Keys(m.Restart.On)) {
		if !slices.Contains(causes(), cause) && !exitOrSignal.MatchString(cause) {
			d.blame(document.Join("restart.on", cause), "is no cause of an end", suggest(cause, append(causes(), "exit 1", "SIGKILL")))
		}
	}
}

// checkSingleton looks for what would run a second instance.
func (d *decoder) checkSingleton(m *Module) {
	if !m.Scale.Singleton {
		return
	}
	if m.Scale.Instances > 1 {
		d.blame("scale.instances", fmt.Sprintf("%d instances of a singleton", m.Scale.Instances), "write instances = 1, or remove singleton")
	}
	if m.Replace.Mode == "start-first" {
		d.blame("replace.mode", "a singleton cannot have a successor that is ready before it ends", `write mode = "stop-first", or remove singleton`)
	}
}

func (d *decoder) checkIdentity(m *Module) {
	if v := m.SchemaVersion; d.written("schema_version") && !formatVersion.MatchString(v) {
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

// written reports whether the key was given a value with which nothing has been found wrong yet, and so is worth a look.
func (d *decoder) written(path string) bool {
	o, ok := d.origins[path]
	return ok && !slices.ContainsFunc(d.problems, func(p Problem) bool { return p.File == o.file && p.Key == o.key })
}

const maxName = 40

// checkName says what is wrong with the name of a module. It becomes part of directory names and of instance ids.
func checkName(name string) (message, remedy string) {
	switch {
	case len(name) > maxName:
		return fmt.Sprintf("%s has %d characters, a name has at most %d", brief(name), len(name), maxName), "shorten it"
	case moduleName.MatchString(name):
		return "", ""
	}
	remedy = "write lower-case letters, digits, - and _, a letter first"
	better := noModuleName.ReplaceAllString(strings.ToLower(name), "-")
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

// checkTopics returns the topics that are good, each once.
func (d *decoder) checkTopics(topics []string, path string, wildcards bool) (good []string) {
	for i, topic := range topics {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !d.written(at) {
			continue
		}
		switch message, remedy := checkTopic(topic, wildcards); {
		case message != "":
			d.blame(at, message, remedy)
		case slices.Contains(good, topic):
			d.blame(at, fmt.Sprintf("%q is given twice", topic), "keep one of them")
		default:
			good = append(good, topic)
		}
	}
	return good
}

// checkBuckets checks names of buckets, which are made like those of modules.
func (d *decoder) checkBuckets(names []string, path string) {
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		if message, remedy := checkName(name); message != "" && d.written(at) {
			d.blame(at, strings.Replace(message, "for a module", "for a bucket", 1), remedy)
		}
	}
}

// checkProcess checks the keys of a process, which are below path. Only those that d has read are blamed: of a process that lies
// over another one, the lower one's faults are its own.
func (d *decoder) checkProcess(p *Process, path string) {
	blame := func(key, message, remedy string) {
		if at := strings.TrimPrefix(path+"."+key, "."); d.written(at) {
			d.blame(at, message, remedy)
		}
	}
	switch {
	case p.Path != "" && (p.Interpreter != "" || p.Entry != ""):
		blame("path", "path and interpreter exclude each other", "keep path and args, or interpreter, entry and args")
	case p.Interpreter != "" && p.Entry == "":
		blame("interpreter", "interpreter without entry", `add entry = "FILE", the file it runs`)
	case p.Entry != "" && p.Interpreter == "":
		blame("entry", "entry without interpreter", `add interpreter = "python3" or another; for an executable write path instead of entry`)
	}
	const program = `write the program and its arguments, such as ["go", "build", "-o", "press", "."]`
	switch {
	case len(p.Build) == 0:
		blame("build", "names no program", program)
	case p.Build[0] == "":
		blame("build[0]", "names no program", program)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			blame(document.Join("env", name), "is no name of an environment variable", "use letters, digits and _")
		}
	}
	for i, name := range p.EnvPass {
		if !inherited.MatchString(name) {
			blame(fmt.Sprintf("env_pass[%d]", i), brief(name)+" is no name of an environment variable", `use letters, digits and _, with * at the end for any rest; values belong in env`)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(p.Digests)) {
		key := document.Join("digests", file)
		if !filepath.IsLocal(file) {
			blame(key, "is not a file below the manifest's directory", "write a path relative to the manifest, without ..")
		}
		if !sha256Digest.MatchString(p.Digests[file]) {
			blame(key, brief(p.Digests[file])+" is no digest", `write "sha256:" and the 64 hex digits that sha256sum prints`)
		}
	}
}
