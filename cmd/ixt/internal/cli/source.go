package cli

import (
	"errors"
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

// options are those of a supervisor for these modules, with op laid over them.
func (s *source) options(op *manifest.Operator) (*supervisor.Options, error) {
	opts := &supervisor.Options{Dirs: s.dirs, Operator: op}
	var problems manifest.Problems
	for _, text := range s.sets {
		set, err := manifest.ParseSet(text)
		var wrong manifest.Problems
		if errors.As(err, &wrong) {
			problems = append(problems, wrong...)
			continue
		}
		opts.Set = append(opts.Set, set)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return opts, nil
}

// operatorPlaces are where the operator's file is looked for when --config does not name it.
func operatorPlaces() []string { return []string{"supervisor.toml", "/etc/ixt/supervisor.toml"} }

// namedOperator loads the operator's file that --config names.
func (a *app) namedOperator() (*manifest.Operator, error) {
	if a.config == "" {
		return manifest.NoOperator(), nil
	}
	return manifest.LoadOperator(a.config)
}

// operator loads the operator's file that --config names, or the first of operatorPlaces that is there.
func (a *app) operator() (*manifest.Operator, error) {
	if a.config != "" {
		return a.namedOperator()
	}
	for _, path := range operatorPlaces() {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return manifest.LoadOperator(path)
		}
	}
	return manifest.NoOperator(), nil
}

// settings are what of the operator's file matters for finding a running supervisor. A file that nobody named and that is
// wrong keeps nobody from asking one.
func (a *app) settings() (*manifest.Operator, error) {
	op, err := a.operator()
	if err != nil && a.config == "" {
		return manifest.NoOperator(), nil
	}
	return op, err
}

// client asks the running supervisor.
func (a *app) client() (*admin.Client, error) {
	op, err := a.settings()
	if err != nil {
		return nil, err
	}
	return admin.NewClient(admin.SocketPaths(a.socket, op.Admin.Socket)), nil
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
