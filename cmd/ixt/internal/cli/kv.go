package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/ipc"
)

func (a *app) kvCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kv",
		Short: "Look at and change the keys that modules keep",
		Long: `Look at and change the keys that modules keep. Every module has a bucket that is called like itself; others are shared by those
whose manifests name them.`,
		Example: `  ixt kv ls press
  ixt kv get press seen`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.kvGet(), a.kvPut(), a.kvRemove(), a.kvList(), a.kvWatch())
	return cmd
}

// askKV asks the service of the running supervisor.
func (a *app) askKV(cmd *cobra.Command, method string, params ipc.KVParams, result any) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	return client.Ask(cmd.Context(), ipc.ServiceKV, method, params, result)
}

func (a *app) kvGet() *cobra.Command {
	var asJSON, raw bool
	cmd := a.bucketed(ipc.ServiceKV, "get BUCKET KEY", "Print the value of a key", "  ixt kv get press seen", []string{"BUCKET", "KEY"},
		func(cmd *cobra.Command, args []string) error {
			var entry ipc.KVEntry
			if err := a.askKV(cmd, ipc.MethodGet, ipc.KVParams{Bucket: args[0], Key: args[1]}, &entry); err != nil {
				return err
			}
			if asJSON {
				return a.stdout.json(entry)
			}
			value, err := entry.Payload.Decode()
			if err != nil {
				return err
			}
			return writeText(a.stdout, value, raw)
		})
	cmd.Flags().BoolVar(&raw, "raw", false, "print the bytes as they are, without a newline of ours")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) kvPut() *cobra.Command {
	var (
		ttl      time.Duration
		revision int64
	)
	cmd := a.bucketed(ipc.ServiceKV, "put BUCKET KEY VALUE|-", "Set a key", "  ixt kv put press limit 7.5\n  ixt kv put press recipe - < recipe.json\n  ixt kv put shared limit 7.5 --create",
		[]string{"BUCKET", "KEY", "VALUE"}, func(cmd *cobra.Command, args []string) error {
			value, err := a.payload(cmd, args[2])
			if err != nil {
				return err
			}
			p := ipc.KVParams{Bucket: args[0], Key: args[1], Payload: ipc.EncodePayload(value), TTLMS: (ttl + time.Millisecond - 1).Milliseconds()}
			if cmd.Flags().Changed("revision") {
				must := uint64(revision)
				p.Revision = &must
			}
			var written ipc.KVWritten
			if err := a.askKV(cmd, ipc.MethodSet, p, &written); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "revision %d\n", written.Revision)
			return err
		})
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case ttl < 0:
			return usage(cmd, "--ttl %s is over before it begins", ttl)
		case revision < 0:
			return usage(cmd, "--revision %d is no revision; write 0 for a key that must not be there", revision)
		}
		return nil
	}
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "after this long the key is gone (default never)")
	cmd.Flags().Int64Var(&revision, "revision", 0, "only if this is the key's revision; 0: only if there is no such key")
	createFlag(cmd)
	return cmd
}

func (a *app) kvRemove() *cobra.Command {
	return a.bucketed(ipc.ServiceKV, "rm BUCKET KEY", "Remove a key", "  ixt kv rm press seen", []string{"BUCKET", "KEY"},
		func(cmd *cobra.Command, args []string) error {
			return a.askKV(cmd, ipc.MethodDelete, ipc.KVParams{Bucket: args[0], Key: args[1]}, nil)
		})
}

func (a *app) kvList() *cobra.Command {
	var asJSON bool
	cmd := a.bucketed(ipc.ServiceKV, "ls BUCKET [PATTERN]", "List keys", "  ixt kv ls press\n  ixt kv ls press 'line.*'", []string{"BUCKET", "[PATTERN]"},
		func(cmd *cobra.Command, args []string) error {
			var list ipc.KVKeys
			if err := a.askKV(cmd, ipc.MethodKeys, ipc.KVParams{Bucket: args[0], Pattern: second(args)}, &list); err != nil {
				return err
			}
			if asJSON {
				return a.stdout.json(list.Keys)
			}
			for _, key := range list.Keys {
				if _, err := fmt.Fprintln(a.stdout, key); err != nil {
					return err
				}
			}
			return nil
		})
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) kvWatch() *cobra.Command {
	var show eventFormat
	cmd := a.bucketed(ipc.ServiceKV, "watch BUCKET [PATTERN]", "Show keys and how they change", "  ixt kv watch press\n  ixt kv watch press 'line.*' --json", []string{"BUCKET", "[PATTERN]"},
		func(cmd *cobra.Command, args []string) error {
			return a.attend(cmd, &show, ipc.ServiceKV, ipc.MethodWatch, ipc.KVParams{Bucket: args[0], Pattern: second(args)})
		})
	cmd.Long = `Show the keys of a bucket with their values, and then every change, until Ctrl-C or the supervisor stops.`
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return show.check(cmd) }
	show.flags(cmd)
	return cmd
}

// second is the second argument, or "" if there is none.
func second(args []string) string {
	if len(args) < 2 {
		return ""
	}
	return args[1]
}
