package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

// source says which modules a supervisor of ours runs, and what is different about them.
type source struct {
	dirs []string
	sets []string
}

func (s *source) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&s.sets, "set", nil, "change an operational or config value for this run, as `MODULE:KEY=VALUE` (repeatable)")
}

func (s *source) modulesFlag(cmd *cobra.Command, help string) {
	cmd.Flags().StringArrayVar(&s.dirs, "modules", nil, help)
	_ = cmd.MarkFlagDirname("modules")
}

// named reports whether there are directories; s may be nil.
func (s *source) named() bool { return s != nil && len(s.dirs) > 0 }

// readable are the manifests in the directories that are in order.
func (s *source) readable() (all []*manifest.Manifest) {
	paths, _ := manifest.Find(s.dirs...)
	for _, path := range paths {
		if m, err := manifest.Load(path); err == nil {
			all = append(all, m)
		}
	}
	return all
}

// options are those of a supervisor for these modules, with op laid over them.
func (s *source) options(op *manifest.Operator) (*supervisor.Options, error) {
	opts := &supervisor.Options{Dirs: s.dirs, Operator: op}
	var problems manifest.Problems
	for _, text := range s.sets {
		set, err := manifest.ParseSet(text)
		if err := problems.Gather(err); err != nil {
			return nil, err
		}
		opts.Set = append(opts.Set, set)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return opts, nil
}

// operatorPlaces are where the operator's file is looked for when --config does not name it.
func operatorPlaces() []string { return []string{"supervisor.toml", "/etc/ixt/supervisor.toml"} }

// loadOperator loads an operator's file; "" is one that says nothing.
func loadOperator(file string) (*manifest.Operator, error) {
	if file == "" {
		return manifest.NoOperator(), nil
	}
	return manifest.LoadOperator(file)
}

// namedOperator loads the operator's file that --config names.
func (a *app) namedOperator() (*manifest.Operator, error) { return loadOperator(a.config) }

// operatorFile is the operator's file: the one that --config names, else the first of operatorPlaces that is there, else "".
func (a *app) operatorFile() string {
	if a.config != "" {
		return a.config
	}
	for _, path := range operatorPlaces() {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path
		}
	}
	return ""
}

// operator loads the operator's file, if there is one.
func (a *app) operator() (*manifest.Operator, error) { return loadOperator(a.operatorFile()) }

// settings are what of the operator's file matters for finding a running supervisor. A file that nobody named and that is
// wrong keeps nobody from asking one, which is said; one that this user may not read is not theirs to mend, and nothing is said.
func (a *app) settings() (*manifest.Operator, error) {
	if a.found != nil {
		return a.found, nil
	}
	op, err := a.operator()
	if err != nil {
		if a.config != "" {
			return nil, err
		}
		if !errors.Is(err, fs.ErrPermission) {
			fmt.Fprintf(a.stderr, "%s is passed over, because it is wrong:\n%v\n", a.operatorFile(), err)
		}
		op = manifest.NoOperator()
	}
	a.found = op
	return op, nil
}

// client asks the running supervisor.
func (a *app) client() (*admin.Client, error) {
	op, err := a.settings()
	if err != nil {
		return nil, err
	}
	return admin.NewClient(admin.SocketPaths(a.socket, op.Admin.Socket)).On(a.node), nil
}

// stateDir is where a supervisor keeps its logs and its journal: what the flag says, else the operator, else a place of
// the machine or the user.
func stateDir(flag string, op *manifest.Operator) (string, error) {
	switch {
	case flag != "":
		return flag, nil
	case op.State.Dir != "":
		return op.State.Dir, nil
	case filepath.IsAbs(os.Getenv("XDG_STATE_HOME")):
		return filepath.Join(os.Getenv("XDG_STATE_HOME"), "ixt"), nil
	case os.Getuid() == 0:
		return "/var/lib/ixt", nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("no place to keep logs in: HOME is not set; name a directory with --state")
	}
	return filepath.Join(home, ".local", "state", "ixt"), nil
}
