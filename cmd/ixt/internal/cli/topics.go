package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) topicsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Show what can be called, who provides it and how calls ended",
		Long: `Show what can be called, who provides it, here and on other nodes (name:version@node), and how the calls ended that modules here
were given. READY is how many instances here take calls now; a topic that only other nodes have counts nothing here.`,
		Example: `  ixt topics
  ixt topics --json`,
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			topics, err := client.Topics(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.stdout.json(topics)
			}
			t := &table{head: []string{"TOPIC", "READY", "IN FLIGHT", "QUEUED", "DONE", "ERRORS", "NOT DELIVERED", "UNKNOWN", "RETRIED", "LATE", "MODULES"}}
			for _, topic := range topics {
				providers := strings.Join(append(topic.Modules, topic.Elsewhere...), ", ")
				if len(topic.Modules) == 0 {
					t.add(topic.Topic, "-", "-", "-", "-", "-", "-", "-", "-", "-", providers)
					continue
				}
				t.add(topic.Topic, strconv.Itoa(topic.Ready), strconv.Itoa(topic.InFlight), strconv.Itoa(topic.Queued),
					count(topic.Done), count(topic.Errors), count(topic.NotDelivered), count(topic.Unknown), count(topic.Retried), count(topic.Late), providers)
			}
			return a.stdout.table(t)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func count(n uint64) string { return strconv.FormatUint(n, 10) }
