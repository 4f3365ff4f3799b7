package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

func (a *app) subCommand() *cobra.Command {
	var show eventFormat
	cmd := &cobra.Command{
		Use:   "sub PATTERN",
		Short: "Show events as they are published",
		Long: `Show the events that match a pattern, as they are published, until Ctrl-C or the supervisor stops: the topic and the payload.
In a pattern * stands for one segment of a topic, > at its end for all that follow; quote both from the shell.`,
		Example: `  ixt sub 'plc.*.temp'
  ixt sub '>' --json
  ixt sub plc.l7.temp -n 1 --raw`,
		Args:              arguments("PATTERN"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := manifest.CheckTopic(args[0], true); err != nil {
				return usage(cmd, "%v; * stands for one whole segment, > for the rest", err)
			}
			return a.attend(cmd, &show, ipc.ServiceEvents, ipc.MethodSubscribe, ipc.Subscription{Pattern: args[0], Buffer: ipc.MaxBuffer})
		},
	}
	show.flags(cmd)
	return cmd
}

// eventFormat is how events are shown, and how many.
type eventFormat struct {
	json, raw bool
	count     int
}

func (f *eventFormat) flags(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&f.count, "count", "n", 0, "end after so many (default never)")
	cmd.Flags().BoolVar(&f.raw, "raw", false, "print the payloads only, as they are, without a newline of ours")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, one value per line")
}

func (f *eventFormat) check(cmd *cobra.Command) error {
	if f.json && f.raw {
		return usage(cmd, "--json prints the whole event; leave out --raw")
	}
	return nil
}

// attend shows what a subscription or a watch brings.
func (a *app) attend(cmd *cobra.Command, show *eventFormat, service, method string, params any) error {
	if err := show.check(cmd); err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	return a.showEvents(cmd.Context(), client, show, service, method, params)
}

func (a *app) showEvents(ctx context.Context, client *admin.Client, show *eventFormat, service, method string, params any) error {
	seen := 0
	for e, err := range client.Attend(ctx, service, method, params) {
		if err != nil {
			return ended(err)
		}
		if e.Subscription == "" { // from here on everything comes
			continue
		}
		if e.Lost > 0 {
			fmt.Fprintf(a.stderr, "%d are missing: they came faster than they could be written\n", e.Lost)
		}
		if err := show.print(a.stdout, e); err != nil {
			return err
		}
		if seen++; seen == show.count {
			return nil
		}
	}
	return nil
}

// shownEvent is an event as --json prints it.
type shownEvent struct {
	Topic    string `json:"topic"`
	Payload  []byte `json:"payload"` // base64
	Source   string `json:"source_module,omitempty"`
	TraceID  string `json:"trace_id,omitempty"`
	Time     int64  `json:"timestamp,omitempty"` // Unix seconds
	Op       string `json:"op,omitempty"`
	Revision uint64 `json:"revision,omitempty"`
	Lost     uint64 `json:"lost,omitempty"`
}

func (f *eventFormat) print(out *output, e ipc.Event) error {
	payload, err := e.Message.Payload.Decode()
	if err != nil {
		return err
	}
	switch {
	case f.raw:
		_, err = out.Write(payload)
	case f.json:
		err = json.NewEncoder(out).Encode(shownEvent{
			e.Message.Topic, payload, e.Context.SourceModule, e.Context.TraceID, e.Context.Timestamp, e.Op, e.Revision, e.Lost,
		})
	case e.Op == ipc.OpDelete:
		_, err = fmt.Fprintf(out, "%s %s is gone\n", time.Now().Format(time.TimeOnly), e.Message.Topic)
	default:
		_, err = fmt.Fprintf(out, "%s %s %s\n", time.Now().Format(time.TimeOnly), e.Message.Topic, brief(payload))
	}
	return err
}

// brief is a payload on a line: its text, quoted if it has line ends or tabs, or its size where it is none.
func brief(payload []byte) string {
	if !readable(payload) {
		return fmt.Sprintf("(%d bytes)", len(payload))
	}
	if bytes.ContainsFunc(payload, unicode.IsControl) {
		return strconv.Quote(string(payload))
	}
	return string(payload)
}
