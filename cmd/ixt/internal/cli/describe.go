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
		ValidArgsFunction: a.completeModules(nil),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			m, err := client.Module(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			subs, err := client.Subscriptions(cmd.Context(), m.Name)
			if err != nil {
				return err
			}
			if asJSON {
				return a.stdout.json(struct {
					supervisor.ModuleStatus
					Subscriptions []supervisor.SubscriptionStatus `json:"subscriptions"`
				}{m, subs})
			}
			entries, err := moduleJournal(cmd.Context(), client, m.Name)
			if err != nil {
				return err
			}
			crashes, err := client.Crashes(cmd.Context(), m.Name)
			if err != nil {
				return err
			}
			now := time.Now()
			describe(a.stdout, m, subs, lastCrashes(entries, crashes), now)
			if err := showLog(cmd.Context(), a.stdout, client, m.Name, now); err != nil {
				return err
			}
			showJournal(a.stdout, entries, now)
			return nil
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// moduleJournal is what the journal has about a module.
func moduleJournal(ctx context.Context, client *admin.Client, module string) (entries []supervisor.Entry, err error) {
	for e, err := range client.Journal(ctx, admin.JournalQuery{}) {
		if err != nil {
			return nil, err
		}
		if e.Module == module {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// lastCrashes are, by instance, the IDs of the reports about those last exits that were crashes; crashes has the newest first.
func lastCrashes(entries []supervisor.Entry, crashes []admin.CrashHead) map[int]string {
	last := map[int]int{} // the process that ended last
	for _, e := range entries {
		if e.Kind == supervisor.KindExit {
			last[e.Instance] = e.PID
		}
	}
	ids := map[int]string{}
	for _, c := range crashes {
		if pid, ended := last[c.Instance]; ended && c.PID == pid && ids[c.Instance] == "" {
			ids[c.Instance] = c.ID
		}
	}
	return ids
}

// describe says what is known of a module; subs are what its instances have subscribed to, crashes the reports about their last exits.
func describe(w io.Writer, m supervisor.ModuleStatus, subs []supervisor.SubscriptionStatus, crashes map[int]string, now time.Time) {
	fmt.Fprintf(w, "%s %s", m.Name, m.Version)
	if m.Description != "" {
		fmt.Fprintf(w, ": %s", oneLine(m.Description))
	}
	fmt.Fprintln(w)
	line := func(name, text string) { fact(w, name, text) }
	line("manifest", m.Manifest)
	line("protocol", m.Protocol)
	list := func(name string, items []string) { line(name, strings.Join(items, ", ")) }
	list("provides", m.Provides)
	list("exports", m.Exports)
	list("requires", m.Requires)
	list("remote", m.Remote)
	list("publishes", m.Publishes)
	list("subscribes", m.Subscribes)
	if m.Protocol == "ixt" { // others have no way to ask for them
		list("kv", append([]string{m.Name}, m.KV...))
		list("blobs", append([]string{m.Name}, m.Blobs...))
	}
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
		last := oneLine(in.LastExit)
		if id := crashes[in.Instance]; id != "" {
			last += fmt.Sprintf("; `ixt crash %s` tells more", id)
		}
		line("last exit", last)
		line("socket", in.Socket)
		for _, sub := range subs {
			if sub.Instance == in.Instance {
				line("subscribed", subscribed(sub))
			}
		}
	}
}

// subscribed is a subscription and what has become of its events.
func subscribed(s supervisor.SubscriptionStatus) string {
	text := "to " + s.Pattern
	if s.Durable != "" {
		text += ", durable as " + s.Durable
	}
	if s.Group {
		text += ", each event to one instance"
	}
	text += fmt.Sprintf(": %d handled, %d failed, %d lost", s.Handled, s.Failed, s.Lost)
	if s.Waiting != nil {
		text += fmt.Sprintf(", %d wait", *s.Waiting)
	}
	return text
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

func showLog(ctx context.Context, w io.Writer, client *admin.Client, module string, now time.Time) error {
	head := "\nlast log lines"
	for l, err := range client.Logs(ctx, admin.LogQuery{Module: module, Last: recent}) {
		if err != nil {
			return err
		}
		if head != "" {
			fmt.Fprintln(w, head)
			head = ""
		}
		fmt.Fprintln(w, "  "+logLine(l.Entry, now))
	}
	return nil
}

func showJournal(w io.Writer, entries []supervisor.Entry, now time.Time) {
	if len(entries) > 0 {
		fmt.Fprintln(w, "\nlast journal entries")
	}
	for _, e := range entries[max(0, len(entries)-recent):] {
		fmt.Fprintln(w, "  "+entryLine(e, now))
	}
}
