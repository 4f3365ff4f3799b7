package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/internal/crash"
)

func (a *app) crashCommand() *cobra.Command {
	var (
		module string
		state  string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "crash [ID]",
		Short: "Show why modules ended abnormally",
		Long: `Show the reports about modules that ended abnormally, the newest first, or one of them: its cause, what it used up, the calls
it had, what it said of its end, the last lines of its log and what the supervisor made of it. The number of an ID is enough,
"last" is the newest report, and the name of a module the newest about it. Without a running supervisor the reports are read
from its state directory.`,
		Example: `  ixt crash
  ixt crash last
  ixt crash press
  ixt crash 42 --json`,
		Args:              arguments("[ID]"),
		ValidArgsFunction: a.completeCrashes(&state),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				heads, err := a.crashes(cmd.Context(), client, module, state)
				if err != nil {
					return err
				}
				return a.showCrashes(heads, asJSON)
			}
			if module != "" {
				return usage(cmd, "--module selects from the list; write `ixt crash %s` for its newest report", module)
			}
			report, err := a.crash(cmd.Context(), client, args[0], state)
			if err != nil {
				return err
			}
			if asJSON {
				return a.stdout.json(report)
			}
			showCrash(a.stdout, report)
			return nil
		},
	}
	cmd.Flags().StringVar(&module, "module", "", "only reports about this `module`")
	_ = cmd.RegisterFlagCompletionFunc("module", a.completeModules(nil))
	keptFlag(cmd, &state)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// crashes asks the running supervisor for the reports there are, or looks at what the last one has left.
func (a *app) crashes(ctx context.Context, client *admin.Client, module, state string) ([]admin.CrashHead, error) {
	heads, err := client.Crashes(ctx, module)
	var nobody *admin.NoSupervisorError
	if !errors.As(err, &nobody) {
		return heads, err
	}
	dir, err := a.keptIn(state, nobody)
	if err != nil {
		return nil, err
	}
	heads, err = keptCrashes(dir).List(module)
	return heads, a.kept(dir, len(heads), nobody, err)
}

// crash is the same for one report.
func (a *app) crash(ctx context.Context, client *admin.Client, id, state string) (*admin.CrashReport, error) {
	report, err := client.Crash(ctx, id)
	var nobody *admin.NoSupervisorError
	if !errors.As(err, &nobody) {
		return report, err
	}
	dir, err := a.keptIn(state, nobody)
	if err != nil {
		return nil, err
	}
	report, err = keptCrashes(dir).Get(id)
	var unknown *crash.UnknownError
	if errors.As(err, &unknown) {
		return nil, fmt.Errorf("%w; and in %s %w", nobody, dir, unknown)
	}
	return report, a.kept(dir, 1, nobody, err)
}

// keptCrashes are the reports in a state directory.
func keptCrashes(dir string) crash.Dir { return crash.Dir(filepath.Join(dir, "crashes")) }

func (a *app) showCrashes(heads []admin.CrashHead, asJSON bool) error {
	if asJSON {
		return a.stdout.json(heads)
	}
	if len(heads) == 0 {
		fmt.Fprintln(a.stderr, "no crash reports: no module has ended abnormally")
		return nil
	}
	t := &table{head: []string{"ID", "WHEN", "MODULE", "CAUSE", "UPTIME", "CALLS"}}
	for _, h := range heads {
		if h.Damaged != "" {
			fmt.Fprintln(a.stderr, oneLine(h.Damaged))
			continue
		}
		t.add(h.ID, date(h.Time), fmt.Sprintf("%s/%03d", oneLine(h.Module), h.Instance), oneLine(h.Cause.String()), lived(h), strconv.Itoa(h.InFlight))
	}
	return a.stdout.table(t)
}

// date is a time for people who look at any day.
func date(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// lived is how long a process lived; "-" if there was none.
func lived(h admin.CrashHead) string {
	if h.UptimeMS == 0 {
		return "-"
	}
	return short(ms(h.UptimeMS))
}

// ms is a duration that came as a number of milliseconds.
func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// completeCrashes completes the one argument with the IDs of reports, those in the state directory if no supervisor runs.
func (a *app) completeCrashes(state *string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.complete(cmd, args, func(ctx context.Context, c *admin.Client) (ids []string) {
			heads, err := c.Crashes(ctx, "")
			if err != nil {
				if dir, err := a.keptIn(*state, err); err == nil {
					heads, _ = keptCrashes(dir).List("") // what cannot be read cannot be offered
				}
			}
			for _, h := range heads {
				if h.Damaged == "" {
					ids = append(ids, cobra.CompletionWithDesc(h.ID, date(h.Time)+" "+h.Cause.String()))
				}
			}
			return ids
		})
	}
}
