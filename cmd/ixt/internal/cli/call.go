package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

func (a *app) callCommand() *cobra.Command {
	var (
		src      source
		timeout  time.Duration
		priority string
		trace    string
		target   string
		verbose  bool
		as       answerFormat
	)
	cmd := &cobra.Command{
		Use:   "call TOPIC [PAYLOAD|-]",
		Short: "Call a topic and print the answer",
		Long: `Call a topic and print the answer: its payload, or its JSON where it has another shape. PAYLOAD "-" is read from stdin.

The running supervisor is asked, unless --modules names directories: then a private supervisor starts what the topic needs,
and nothing of it stays behind. An operator's file counts there only if --config names it.

Exit codes: 0 done; 1 done, with an error of the module's or without the member that --field asks for; 2 usage or manifest;
3 not delivered (safe to repeat); 4 outcome unknown.`,
		Example: `  ixt call --modules examples echo.say hello
  ixt call press.check '{"temp": 79.5}' --field ok
  ixt call press.check - --timeout 2s < reading.json`,
		Args:              arguments("TOPIC", "[PAYLOAD]"),
		ValidArgsFunction: a.completeTopics(&src),
		RunE: func(cmd *cobra.Command, args []string) error {
			m := supervisor.Message{Topic: args[0], Target: target, TTL: timeout, TraceID: trace}
			var err error
			if m.Priority, err = parsePriority(priority); err != nil {
				return usage(cmd, "%v", err)
			}
			if as.json && (as.raw || as.field != "") {
				return usage(cmd, "--json prints the whole answer; leave out --raw and --field")
			}
			if timeout < 0 {
				return usage(cmd, "--timeout %s is over before it begins", timeout)
			}
			if len(args) > 1 {
				if m.Payload, err = a.payload(cmd, args[1]); err != nil {
					return err
				}
			}
			call := a.callRunning
			if len(src.dirs) > 0 {
				call = func(ctx context.Context, m supervisor.Message) (json.RawMessage, error) {
					return a.callPrivate(ctx, &src, m, verbose)
				}
			} else if len(src.sets) > 0 {
				return usage(cmd, "--set has no effect on a running supervisor; add --modules DIR")
			}
			data, err := call(cmd.Context(), m)
			if err != nil {
				return callError{err}
			}
			return as.print(a.stdout, data)
		},
	}
	src.modulesFlag(cmd, "start the modules of this `directory` for this one call (repeatable)")
	src.flags(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&timeout, "timeout", 0, "limit for the call, within the topic's timeout (default that timeout)")
	flags.StringVar(&priority, "priority", "normal", "low, normal, high or urgent: who waits less")
	flags.StringVar(&target, "target", "", "only this one: `module`, module:version or module:version/instance-002, with @node behind it, or only @node (default whoever provides the topic)")
	flags.StringVar(&trace, "trace", "", "trace `id` to pass on (default a new one)")
	flags.BoolVarP(&verbose, "verbose", "v", false, "with --modules: show on stderr what the supervisor does and the modules write")
	flags.BoolVar(&as.json, "json", false, "print the answer's JSON, whatever it is")
	flags.BoolVar(&as.raw, "raw", false, "print the bytes as they are, without a newline of ours")
	flags.StringVar(&as.field, "field", "", "print this `member` of the answer, decoded if it is text in base64")
	_ = cmd.RegisterFlagCompletionFunc("priority", cobra.FixedCompletions([]string{"low", "normal", "high", "urgent"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func parsePriority(text string) (ipc.Priority, error) {
	switch text {
	case "low":
		return ipc.Low, nil
	case "normal":
		return ipc.Normal, nil
	case "high":
		return ipc.High, nil
	case "urgent":
		return ipc.Urgent, nil
	}
	return 0, fmt.Errorf("--priority %s is unknown; use low, normal, high or urgent", text)
}

// maxPayload is what fits into a frame as base64, with room for what is around it.
const maxPayload = (ipc.DefaultMaxFrame - 64<<10) / 4 * 3

// payload is the argument, or what stdin has where that is "-".
func (a *app) payload(cmd *cobra.Command, arg string) ([]byte, error) {
	if arg != "-" {
		return []byte(arg), nil
	}
	b, err := io.ReadAll(io.LimitReader(a.stdin, maxPayload+1))
	if err != nil {
		return nil, fmt.Errorf("reading the payload from stdin: %w", err)
	}
	if len(b) > maxPayload {
		return nil, usage(cmd, "the payload on stdin is longer than the %d bytes that fit into a frame", maxPayload)
	}
	return b, nil
}

func (a *app) callRunning(ctx context.Context, m supervisor.Message) (json.RawMessage, error) {
	client, err := a.client()
	if err != nil {
		return nil, err
	}
	return client.Call(ctx, admin.CallRequest{
		Topic: m.Topic, Target: m.Target, Payload: m.Payload, Priority: m.Priority, TraceID: m.TraceID,
		TTLMS: (m.TTL + time.Millisecond - 1).Milliseconds(), // rounded up: a very short limit must not become none
	})
}

func (a *app) callPrivate(ctx context.Context, src *source, m supervisor.Message, verbose bool) (data json.RawMessage, err error) {
	op, err := a.namedOperator()
	if err != nil {
		return nil, err
	}
	opts, err := src.options(op)
	if err != nil {
		return nil, err
	}
	opts.OnDemand, opts.Build = true, true
	if opts.Engine, err = new(engine).open(op); err != nil {
		return nil, err
	}
	var v viewer = buildLines{a.stderr}
	if verbose {
		text := newTextLines(a.stderr)
		text.note = func(string) {} // the end of the call ends it, not a person
		v = text
	}
	err = private(ctx, opts, v, func(sup *supervisor.Supervisor) error {
		answer, err := sup.Call(ctx, m)
		if err == nil {
			data = answer.JSON()
		}
		return err
	})
	return data, err
}
