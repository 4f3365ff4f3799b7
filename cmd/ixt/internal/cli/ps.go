package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

func (a *app) psCommand() *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "Show every module, its instances and their states",
		Example: `  ixt ps
  ixt ps --all
  ixt -n box-7 ps --json`,
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			if all {
				nodes, err := client.AllModules(cmd.Context())
				if err != nil {
					return err
				}
				return a.showNodes(nodes, asJSON)
			}
			modules, err := client.Modules(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.stdout.json(modules)
			}
			return a.stdout.table(moduleTable(modules, time.Now()))
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "those of every node of the cluster")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// showNodes is the same with a column for the node.
func (a *app) showNodes(nodes []admin.NodeModules, asJSON bool) error {
	if asJSON {
		return a.stdout.json(nodes)
	}
	if len(nodes) == 0 {
		_, err := fmt.Fprintln(a.stderr, "this supervisor is alone; `ixt run --nats URL` joins it to others")
		return err
	}
	now := time.Now()
	nothing := []string{"-", "-", "-", "-", "-", "-", "-", "-"}
	all := &table{head: append([]string{"NODE"}, moduleTable(nil, now).head...)}
	for _, n := range nodes {
		rows := moduleTable(n.Modules, now).rows
		switch {
		case n.Gone != "":
			rows = [][]string{append(nothing, fmt.Sprintf("%s, last seen %s ago", n.Gone, now.Sub(n.Heard).Round(time.Second)))}
		case n.Error != "":
			rows = [][]string{append(nothing, oneLine(n.Error))}
		case len(rows) == 0:
			rows = [][]string{append(nothing, "no modules")}
		}
		for _, row := range rows {
			all.add(append([]string{n.Node}, row...)...)
		}
	}
	return a.stdout.table(all)
}

func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON, for programs")
}

// moduleTable has a row for each instance.
func moduleTable(modules []supervisor.ModuleStatus, now time.Time) *table {
	t := &table{head: []string{"MODULE", "VERSION", "INST", "STATE", "PID", "UP", "RESTARTS", "IN FLIGHT", "WHY"}}
	for _, m := range modules {
		for _, in := range m.Instances {
			pid := "-"
			if in.PID != 0 {
				pid = strconv.Itoa(in.PID)
			}
			t.add(m.Name, m.Version, fmt.Sprintf("%03d", in.Instance), stateText(in, now), pid, uptime(in, now),
				strconv.Itoa(in.Restarts), strconv.Itoa(in.InFlight), oneLine(in.Why))
		}
	}
	return t
}

// stateText is the state, with the time that is left of it where that is known.
func stateText(in supervisor.InstanceStatus, now time.Time) string {
	if in.NextStart == nil {
		return string(in.State)
	}
	return string(in.State) + " " + short(max(in.NextStart.Sub(now), 0))
}

func uptime(in supervisor.InstanceStatus, now time.Time) string {
	if in.ReadyAt == nil {
		return "-"
	}
	return short(now.Sub(*in.ReadyAt))
}

// short is a duration with as much of it as a person reads: 1.6s, 12s, 3m20s, 5h2m, 12d.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		d = d.Round(time.Second)
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
	return manifest.Duration(d).String()
}
