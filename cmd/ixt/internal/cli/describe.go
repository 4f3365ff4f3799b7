package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/supervisor"
)

// recent is how many of the last log lines and journal entries a description shows.
const recent = 10

func (a *app) describeCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "describe MODULE",
		Short: "Explain a module: what it is, why it is in its state, what happens next and when",
		Example: `  ixt describe press
  ixt describe press --json`,
		Args:              arguments("MODULE"),
		ValidArgsFunction: a.completeModules,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			m, err := client.Module(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return a.stdout.json(m)
			}
			describe(a.stdout, m, time.Now())
			if err := showLog(cmd.Context(), a.stdout, client, m.Name); err != nil {
				return err
			}
			return showJournal(cmd.Context(), a.stdout, client, m.Name)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// describe says what is known of a module.
func describe(w io.Writer, m supervisor.ModuleStatus, now time.Time) {
	fmt.Fprintf(w, "%s %s", m.Name, m.Version)
	if m.Description != "" {
		fmt.Fprintf(w, ": %s", oneLine(m.Description))
	}
	fmt.Fprintln(w)
	line := func(name, text string) { fact(w, name, text) }
	line("manifest", m.Manifest)
	line("protocol", m.Protocol)
	line("provides", strings.Join(m.Provides, ", "))
	line("requires", strings.Join(m.Requires, ", "))
	line("after", strings.Join(m.After, ", "))
	line("policy", m.Policy)
	for _, in := range m.Instances {
		fmt.Fprintf(w, "\ninstance %03d: %s", in.Instance, in.State)
		if !in.Since.IsZero() {
			fmt.Fprintf(w, " for %s", short(now.Sub(in.Since)))
		}
		fmt.Fprintln(w)
		line("why", oneLine(in.Why))
		line("next", next(m, in, now))
		if in.PID != 0 {
			line("process", fmt.Sprint(in.PID))
		}
		line("sdk", oneLine(in.SDK))
		if in.Concurrency != 0 {
			line("calls", fmt.Sprintf("%d in flight, %d at once", in.InFlight, in.Concurrency))
		}
		line("up", strings.TrimPrefix(uptime(in, now), "-"))
		line("restarts", fmt.Sprint(in.Restarts))
		line("last exit", oneLine(in.LastExit))
		line("socket", in.Socket)
	}
}

// fact is one thing that is known, on a line of its own; what is not known gets none.
func fact(w io.Writer, name, text string) {
	if text != "" {
		fmt.Fprintf(w, "  %-10s %s\n", name, text)
	}
}

// next says what happens to an instance from here on, and when.
func next(m supervisor.ModuleStatus, in supervisor.InstanceStatus, now time.Time) string {
	switch in.State {
	case supervisor.Backoff, supervisor.Failed:
		if in.NextStart == nil {
			return fmt.Sprintf("nothing by itself; `ixt start %s` tries now", m.Name)
		}
		return fmt.Sprintf("it is started again in %s, at %s; `ixt start %s` does so now",
			short(max(in.NextStart.Sub(now), 0)), in.NextStart.Local().Format("15:04:05"), m.Name)
	case supervisor.Stopped:
		return fmt.Sprintf("nothing by itself; `ixt start %s` starts it", m.Name)
	case supervisor.Waiting:
		if in.Socket != "" {
			return "it goes on when the module connects"
		}
		return "it is started as soon as what it waits for is there"
	case supervisor.Unready:
		return "it gets calls again when it says it is ready; nothing restarts it for that"
	case supervisor.Ready:
		return "it takes calls"
	}
	return ""
}

func showLog(ctx context.Context, w io.Writer, client *admin.Client, module string) error {
	head := "\nlast log lines"
	for l, err := range client.Logs(ctx, admin.LogQuery{Module: module, Last: recent}) {
		if err != nil {
			return err
		}
		if head != "" {
			fmt.Fprintln(w, head)
			head = ""
		}
		fmt.Fprintln(w, "  "+logLine(l.Entry))
	}
	return nil
}

func showJournal(ctx context.Context, w io.Writer, client *admin.Client, module string) error {
	var last []supervisor.Entry
	for e, err := range client.Journal(ctx, admin.JournalQuery{}) {
		if err != nil {
			return err
		}
		if e.Module == module {
			last = append(last, e)
		}
	}
	if len(last) > 0 {
		fmt.Fprintln(w, "\nlast journal entries")
	}
	for _, e := range last[max(0, len(last)-recent):] {
		fmt.Fprintln(w, "  "+entryLine(e))
	}
	return nil
}
