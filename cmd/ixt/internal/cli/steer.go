package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/supervisor"
)

// steering is a command to the running supervisor about one module.
type steering func(*admin.Client, context.Context, string) (supervisor.ModuleStatus, error)

func (a *app) startCommand() *cobra.Command {
	return a.steerCommand("start", "Start a module", `Make a module run. This overrules an earlier stop, and retries at once what rests in backoff or has failed.
It does not wait until the module is ready; `+"`ixt ps`"+` shows how it comes along.`, (*admin.Client).Start)
}

func (a *app) stopCommand() *cobra.Command {
	return a.steerCommand("stop", "Stop a module", `Stop a module in order: open calls finish, it is told to shut down, and what does not end is killed. The command returns
when nothing of it is left. The module stays stopped until `+"`ixt start`"+`.`, (*admin.Client).Stop)
}

func (a *app) restartCommand() *cobra.Command {
	return a.steerCommand("restart", "Replace a module's processes, one after the other", `Replace a module's processes one after the other, so that the others go on answering. The command returns when the new
ones are ready; one that does not come back is an error with its reason.`, (*admin.Client).Restart)
}

func (a *app) steerCommand(name, short, long string, do steering) *cobra.Command {
	return &cobra.Command{
		Use:               name + " MODULE",
		Short:             short,
		Long:              long,
		Example:           "  ixt " + name + " press",
		Args:              arguments("MODULE"),
		ValidArgsFunction: a.completeModules(nil),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			status, err := do(client, cmd.Context(), args[0])
			if err != nil {
				return err
			}
			for _, in := range status.Instances {
				fmt.Fprintf(a.stdout, "%s/%03d %s\n", status.Name, in.Instance, stateText(in, time.Now()))
			}
			return nil
		},
	}
}
