package cli

import (
	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/ipc"
)

func (a *app) pubCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pub TOPIC [PAYLOAD|-]",
		Short: "Publish an event",
		Long: `Publish an event to whoever has subscribed to its topic, in the running supervisor. PAYLOAD "-" is read from stdin. It is done
when the event is handed over, and stored where somebody wants it kept.`,
		Example: `  ixt pub plc.l7.temp 79.5
  ixt pub plc.l7.image - < frame.png`,
		Args:              arguments("TOPIC", "[PAYLOAD]"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			p := ipc.Publication{Topic: args[0]}
			if len(args) > 1 {
				payload, err := a.payload(cmd, args[1])
				if err != nil {
					return err
				}
				p.Payload = ipc.EncodePayload(payload)
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			return client.Ask(cmd.Context(), ipc.ServiceEvents, ipc.MethodPublish, p, nil)
		},
	}
}
