package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/ipc"
)

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version of ixt and of the protocol it speaks",
		Example: `  ixt version
  ixt version --json`,
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version  string `json:"version"`
				Protocol int    `json:"protocol"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{version(), ipc.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if asJSON {
				return a.stdout.json(v)
			}
			_, err := fmt.Fprintf(a.stdout, "ixt %s, protocol %d, %s %s\n", v.Version, v.Protocol, v.Go, v.Platform)
			return err
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}
