package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Command is what is executed for a module.
type Command struct {
	Path string   // the executable, absolute
	Args []string // without the name of the program itself
	Dir  string   // the working directory, absolute
}

// EntryError is a module whose program cannot be run, and why.
type EntryError struct {
	Module, Message, Remedy string
}

func (e *EntryError) Error() string { return e.Module + ": " + e.Message + "; " + e.Remedy }

// Command finds the module's program. Where the manifest names none it is, beside the manifest, an executable called like
// the module, else a Python file called like it, with _ for -, or main.py. The error is an [*EntryError].
func (m *Module) Command() (*Command, error) {
	c := &Command{Args: m.Process.Args, Dir: within(m.Dir, m.Process.Workdir)}
	path, interpreter, entry := m.program()
	var err error
	switch {
	case path == "" && interpreter == "":
		return nil, m.noProgram()
	case path != "":
		c.Path, err = m.executable(path)
	default:
		script := within(m.Dir, entry)
		if err = m.exists(script); err == nil {
			c.Path, err = m.interpreter(interpreter)
		}
		c.Args = append([]string{script}, c.Args...)
	}
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
		return nil, m.entryError("workdir "+c.Dir+" is not a directory", "create it, or write another workdir in "+m.File)
	}
	return c, nil
}

// NeedsBuild reports whether the module says how it is built and its program is missing.
func (m *Module) NeedsBuild() bool {
	if len(m.Process.Build) == 0 {
		return false
	}
	path, _, entry := m.program()
	_, err := os.Stat(within(m.Dir, cmp.Or(path, entry, m.Name)))
	return errors.Is(err, fs.ErrNotExist)
}

// program is what the manifest names, else what is there by convention; all empty when nothing is.
func (m *Module) program() (path, interpreter, entry string) {
	p := m.Process
	if p.Path != "" || p.Interpreter != "" {
		return p.Path, p.Interpreter, p.Entry
	}
	if len(p.Build) > 0 || isFile(filepath.Join(m.Dir, m.Name)) {
		return m.Name, "", ""
	}
	for _, script := range m.scripts() {
		if isFile(filepath.Join(m.Dir, script)) {
			return "", "python3", script
		}
	}
	return "", "", ""
}

func (m *Module) scripts() []string {
	return []string{strings.ReplaceAll(m.Name, "-", "_") + ".py", "main.py"}
}

func (m *Module) noProgram() error {
	names := append([]string{m.Name}, m.scripts()...)
	return m.entryError(
		fmt.Sprintf("no program: none is named in %s, and none of %s is beside it", m.File, strings.Join(names, ", ")),
		fmt.Sprintf("paste one of these into the manifest:\n\n[artifacts.process]\npath = %q\n\n[artifacts.process]\ninterpreter = \"python3\"\nentry = %q\n", "./"+names[0], names[1]))
}

func (m *Module) executable(path string) (string, error) {
	file := within(m.Dir, path)
	if !isFile(file) && !strings.Contains(path, "/") && len(m.Process.Build) == 0 {
		if found := m.lookPath(path); found != "" {
			return found, nil
		}
	}
	if err := m.exists(file); err != nil {
		return "", err
	}
	if !isExecutable(file) {
		return "", m.entryError(file+" is not executable", "chmod +x "+file)
	}
	return file, nil
}

func (m *Module) interpreter(name string) (string, error) {
	if !strings.Contains(name, "/") {
		if found := m.lookPath(name); found != "" {
			return found, nil
		}
		return "", m.entryError(fmt.Sprintf("interpreter %q is not in PATH", name), "install it, or write its path as interpreter in "+m.File)
	}
	file := within(m.Dir, name)
	switch {
	case isExecutable(file):
		return file, nil
	case isFile(file):
		return "", m.entryError("interpreter "+file+" is not executable", "chmod +x "+file)
	}
	remedy := "install it, or write another interpreter in " + m.File
	if dir, _, venv := strings.Cut(file, "/bin/python"); venv {
		remedy = "make it: python3 -m venv " + dir
	}
	return "", m.entryError("interpreter "+file+" does not exist", remedy)
}

// exists is nil when file is one, or the error that says how to get it.
func (m *Module) exists(file string) error {
	info, err := os.Stat(file)
	switch {
	case err == nil && !info.IsDir():
		return nil
	case err == nil:
		return m.entryError(file+" is a directory", "name the file in it in "+m.File)
	case !errors.Is(err, fs.ErrNotExist):
		return m.entryError(err.Error(), "let the supervisor's user read it")
	case len(m.Process.Build) > 0:
		return m.entryError(file+" does not exist", fmt.Sprintf("build it with --build, or in %s: %s", m.Dir, strings.Join(m.Process.Build, " ")))
	}
	return m.entryError(file+" does not exist", "put it there, or correct [artifacts.process] in "+m.File)
}

func (m *Module) entryError(message, remedy string) *EntryError {
	return &EntryError{m.Name, message, remedy}
}

// lookPath finds a program in the PATH that the module will have.
func (m *Module) lookPath(name string) string {
	path, set := m.Process.Env["PATH"]
	if !set {
		path = os.Getenv("PATH")
	}
	for _, dir := range filepath.SplitList(path) {
		if file := filepath.Join(dir, name); filepath.IsAbs(file) && isExecutable(file) {
			return file
		}
	}
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
