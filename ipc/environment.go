package ipc

import (
	"fmt"
	"strconv"
	"strings"
)

// The environment variables by which a module learns who it is and where to connect.
const (
	EnvSocket   = "IXT_IPC_SOCKET" // path of its private Unix socket
	EnvModuleID = "IXT_MODULE_ID"  // its ModuleID
)

// MaxSocketPath is the longest socket path that every supported system takes, in bytes.
const MaxSocketPath = 103

// ModuleID names one instance of a module, "name:version/instance-001" on the wire.
type ModuleID struct {
	Name     string
	Version  string
	Instance int // from 1; 0: the module as such, "name:version"
}

func (id ModuleID) String() string {
	if id.Instance == 0 {
		return id.Module()
	}
	return fmt.Sprintf("%s/instance-%03d", id.Module(), id.Instance)
}

// Module returns the id without its instance, "name:version".
func (id ModuleID) Module() string { return id.Name + ":" + id.Version }

// ParseModuleID reads what String writes.
func ParseModuleID(s string) (ModuleID, error) {
	module, instance, hasInstance := strings.Cut(s, "/")
	name, version, ok := strings.Cut(module, ":")
	id := ModuleID{Name: name, Version: version}
	if hasInstance {
		digits, found := strings.CutPrefix(instance, "instance-")
		n, err := strconv.Atoi(digits)
		ok = ok && found && err == nil && n > 0
		id.Instance = n
	}
	if !ok || name == "" || version == "" {
		return ModuleID{}, fmt.Errorf("%q is not a module id; it looks like name:1.0.0/instance-001", s)
	}
	return id, nil
}
