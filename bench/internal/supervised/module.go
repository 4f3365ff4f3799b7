package supervised

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ixtrun/ixt/bench/internal/profile"
	"github.com/ixtrun/ixt/sdk/python"
)

// Module is a module's name, its manifest and the files beside it, by name.
type Module struct {
	Name     string
	Manifest string
	Files    map[string]string
}

// Echo is the Go echo whose program is at the path program.
func Echo(program string) Module {
	return Module{Name: "echo", Manifest: fmt.Sprintf(goManifest, "echo", program, "echo.say")}
}

// perModule is how many instances of one module Echoes makes at most; a manifest could name 999.
const perModule = 500

// Echoes are n instances of the Go echo, of as many modules as that takes.
func Echoes(program string, n int) (modules []Module) {
	for ; n > 0; n -= perModule {
		name := fmt.Sprintf("echo-%d", len(modules)+1)
		m := Module{Name: name, Manifest: fmt.Sprintf(goManifest, name, program, "echo.say")}
		modules = append(modules, m.With(fmt.Sprintf("[scale]\ninstances = %d\n", min(n, perModule))))
	}
	return modules
}

// Drive puts a load on Echo, through the supervisor.
func Drive(program string) Module {
	return Module{Name: "drive", Manifest: fmt.Sprintf(goManifest, "drive", program, "drive.load") + `
[requires]
services = ["echo.say"]
[services."drive.load"]
timeout = "10m"
`}
}

// With adds TOML to the manifest.
func (m Module) With(more string) Module {
	m.Manifest += more
	return m
}

// Profiled lets a Go module write the profiles that are wanted.
func (m Module) Profiled(wanted profile.Wanted) Module {
	more := "[artifacts.process.env]\n"
	for name, value := range wanted.Environ() {
		more += fmt.Sprintf("%s = %q\n", name, value)
	}
	return m.With(more)
}

const goManifest = `schema_version = "3.0"
[module]
name = %q
version = "1.0.0"
[artifacts.process]
path = %q
[provides]
services = [%q]
`

// PythonEcho is an echo as somebody new to the Python SDK writes it.
func PythonEcho() Module {
	return Module{Name: "echo", Manifest: pythonManifest, Files: map[string]string{
		"echo.py": pythonProgram, python.FileName: python.Source(),
	}}
}

const pythonManifest = `schema_version = "3.0"
[module]
name = "echo"
version = "1.0.0"
[provides]
services = ["echo.say"]
`

const pythonProgram = `from ixt_process_module import IxtProcessModule


class Echo(IxtProcessModule):
    def on_handle(self, message, context):
        payload = self.decode_payload(message["payload"])
        return self.success({"payload": self.encode_payload(payload)})


if __name__ == "__main__":
    Echo().run()
`

// write puts the module into a directory of its name under dir.
func (m Module) write(dir string) error {
	dir = filepath.Join(dir, m.Name)
	err := os.MkdirAll(dir, 0o755)
	for name, text := range m.Files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "manifest.toml"), []byte(m.Manifest), 0o644))
}
