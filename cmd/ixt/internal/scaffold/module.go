package scaffold

import (
	"embed"
	"errors"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/sdk/python"
)

//go:embed all:template
var templates embed.FS

// module is what the templates know.
type module struct {
	Name string // also the first segment of its topic
	File string // Python: its file, without .py

	// The path of the Go module. A bare Name would not build for log, time, test and whatever else Go itself has.
	GoPath   string
	Version  string   // Go: of ixt; empty if the first build is to find it
	Source   string   // Go: what replaces ixt, as go.mod writes it; empty for a published version
	Requires []string // Go: what ixt requires in turn, "PATH VERSION"

	sums string // Go: the go.sum that belongs to Source
}

func newModule(name string, opts Options) (*module, error) {
	m := &module{Name: name, File: pythonFile(name), GoPath: "example.com/" + name, Version: opts.Version}
	if opts.Source == "" {
		return m, nil
	}
	src, err := readSource(opts.Source)
	if err != nil {
		return nil, &SourceError{Dir: opts.Source, Err: err}
	}
	m.Version, m.Source, m.Requires, m.sums = "v0.0.0", src.dir, src.requires, src.sums
	if !plain(m.Source) {
		m.Source = strconv.Quote(m.Source)
	}
	return m, nil
}

// files are the files of the module by name.
func (m *module) files(lang Language) (map[string]string, error) {
	files := map[string]string{}
	switch {
	case lang == Python:
		files[python.FileName] = python.Source()
	case m.sums != "":
		files["go.sum"] = m.sums
	}
	all, err := template.ParseFS(templates, path.Join("template", string(lang), "*.tmpl"))
	if err != nil {
		return nil, err
	}
	for _, t := range all.Templates() {
		var text strings.Builder
		if err := t.Execute(&text, m); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(t.Name(), ".tmpl")
		files[strings.ReplaceAll(name, "NAME", m.File)] = text.String()
	}
	return files, nil
}

// next are the commands to type once the module is in dir.
func (m *module) next(lang Language, dir string) []string {
	dir = shell(filepath.Clean(dir))
	test := "python3 -m unittest"
	if lang == Go {
		test = "go test ./..."
		if m.sums == "" {
			test = "go mod tidy && " + test // a published ixt and what it requires have to be downloaded first
		}
	}
	return []string{"ixt run " + dir, "ixt call " + m.Name + ".hello world", "cd " + dir + " && " + test}
}

// checkName asks the manifest's own rule.
func checkName(name string) error {
	err := manifest.CheckString("schema_version = \"3.0\"\nmodule = { name = %s, version = \"0.1.0\" }\n", name)
	var problem manifest.Problem
	if errors.As(err, &problem) {
		return &NameError{Name: name, Message: problem.Message, Remedy: problem.Remedy}
	}
	return err
}

// plain reports whether a path can stand unquoted in a go.mod and on a command line.
func plain(path string) bool { return regexp.MustCompile(`^[\w./@%+=:-]+$`).MatchString(path) }

// shell quotes a path for a shell where it has to be.
func shell(path string) string {
	if plain(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
