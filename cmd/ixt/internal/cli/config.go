package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

func (a *app) configCommand() *cobra.Command {
	var (
		src    source
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "config MODULE",
		Short: "Show every effective value of a module and where it comes from",
		Long: `Show every effective value of a module with its origin: default, manifest.toml, supervisor.toml or flag. Secrets are masked.

The running supervisor is asked, unless --modules names directories: then their files are read as ixt run would read them, and
nothing has to run.`,
		Example: `  ixt config press
  ixt config press --modules modules --set press:restart.give_up=10`,
		Args:              arguments("MODULE"),
		ValidArgsFunction: a.completeModules(&src),
		RunE: func(cmd *cobra.Command, args []string) error {
			settings, err := a.moduleSettings(cmd, args[0], &src)
			if err != nil {
				return err
			}
			if asJSON {
				return a.stdout.json(settings)
			}
			t := &table{head: []string{"KEY", "VALUE", "ORIGIN"}}
			for _, s := range settings {
				t.add(s.Key, oneLine(s.Value), s.Origin)
			}
			for _, line := range t.lines(1 << 20) { // a value is worth more than a tidy margin
				fmt.Fprintln(a.stdout, line)
			}
			return nil
		},
	}
	src.modulesFlag(cmd, "read the modules of this `directory` instead of asking a supervisor (repeatable)")
	src.flags(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// moduleSettings asks the running supervisor, or one that is made from files and never run.
func (a *app) moduleSettings(cmd *cobra.Command, name string, src *source) ([]manifest.Setting, error) {
	if len(src.dirs) == 0 {
		if len(src.sets) > 0 {
			return nil, usage(cmd, "--set has no effect on a running supervisor; add --modules DIR")
		}
		client, err := a.client()
		if err != nil {
			return nil, err
		}
		return client.Settings(cmd.Context(), name)
	}
	op, err := a.operator()
	if err != nil {
		return nil, err
	}
	opts, err := src.options(op)
	if err != nil {
		return nil, err
	}
	sup, err := supervisor.New(opts)
	if err != nil {
		return nil, err
	}
	return sup.Settings(name)
}
