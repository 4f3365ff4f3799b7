package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/internal/logs"
)

func (a *app) logsCommand() *cobra.Command {
	var (
		stream stream
		state  string
	)
	cmd := &cobra.Command{
		Use:   "logs [MODULE]",
		Short: "Show what modules wrote to stdout, stderr and their loggers",
		Long: `Show what modules wrote to stdout, stderr and their loggers, also after they have ended. Without a running supervisor the
lines are read from its state directory.`,
		Example: `  ixt logs -f press
  ixt logs -n 1000 --json`,
		Args:              arguments("[MODULE]"),
		ValidArgsFunction: a.completeModules(nil),
		RunE: func(cmd *cobra.Command, args []string) error {
			module := ""
			if len(args) > 0 {
				module = args[0]
			}
			last, err := stream.count(cmd)
			if err != nil {
				return err
			}
			show := a.logPrinter(stream.json)
			client, err := a.client()
			if err != nil {
				return err
			}
			var nobody *admin.NoSupervisorError
			for line, err := range client.Logs(cmd.Context(), admin.LogQuery{Module: module, Last: last, Follow: stream.follow}) {
				if errors.As(err, &nobody) && !stream.follow {
					return a.keptLogs(state, module, max(last, 0), nobody, show)
				}
				if err != nil {
					return ended(err)
				}
				if err := show(line); err != nil {
					return err
				}
			}
			return nil
		},
	}
	stream.flags(cmd)
	keptFlag(cmd, &state)
	return cmd
}

func (a *app) logPrinter(asJSON bool) func(admin.LogLine) error {
	encoder := json.NewEncoder(a.stdout)
	return func(l admin.LogLine) error {
		if asJSON {
			return encoder.Encode(l)
		}
		if l.Lost > 0 {
			fmt.Fprintln(a.stderr, missing(l.Lost))
		}
		_, err := fmt.Fprintln(a.stdout, logLine(l.Entry, time.Now()))
		return err
	}
}

// keptLogs shows what a supervisor that runs no more has left in its state directory.
func (a *app) keptLogs(state, module string, last int, nobody error, show func(admin.LogLine) error) error {
	dir, err := a.keptIn(state, nobody)
	if err != nil {
		return err
	}
	entries, err := logs.ReadDir(filepath.Join(dir, "logs"), module, last)
	if err := a.kept(dir, len(entries), nobody, err); err != nil {
		return err
	}
	for _, e := range entries {
		if err := show(admin.LogLine{Entry: e}); err != nil {
			return err
		}
	}
	return nil
}
