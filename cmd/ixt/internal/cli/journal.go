package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/internal/ringfile"
	"github.com/ixtrun/ixt/supervisor"
)

func (a *app) journalCommand() *cobra.Command {
	var (
		stream stream
		module string
		state  string
	)
	cmd := &cobra.Command{
		Use:   "journal",
		Short: "Show what the supervisor saw and did",
		Long: `Show what the supervisor saw and did: states of instances and their reasons, exits, refused connections, calls that ended
without a module's answer. Without a running supervisor the entries are read from its state directory.`,
		Example: `  ixt journal
  ixt journal -f --module press
  ixt journal -n 1000 --json`,
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			last, err := stream.count(cmd)
			if err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			show := a.entryPrinter(stream.json, module)
			var nobody *admin.NoSupervisorError
			for e, err := range client.Journal(cmd.Context(), admin.JournalQuery{Last: last, Follow: stream.follow}) {
				if errors.As(err, &nobody) && !stream.follow {
					return a.keptJournal(state, max(last, 0), nobody, show)
				}
				if err != nil {
					return ended(err)
				}
				if err := show(e); err != nil {
					return err
				}
			}
			return nil
		},
	}
	stream.flags(cmd)
	keptFlag(cmd, &state)
	cmd.Flags().StringVar(&module, "module", "", "only entries about this `module`")
	_ = cmd.RegisterFlagCompletionFunc("module", a.completeModules(nil))
	return cmd
}

// entryPrinter prints entries about a module, or about all if that is "".
func (a *app) entryPrinter(asJSON bool, module string) func(supervisor.Entry) error {
	encoder := json.NewEncoder(a.stdout)
	var seen uint64
	return func(e supervisor.Entry) error {
		if seen != 0 && e.Seq > seen+1 {
			fmt.Fprintf(a.stderr, "%d entries are missing: they came faster than they could be written\n", e.Seq-seen-1)
		}
		seen = e.Seq
		if module != "" && e.Module != module {
			return nil
		}
		if asJSON {
			return encoder.Encode(e)
		}
		_, err := fmt.Fprintln(a.stdout, entryLine(e, time.Now()))
		return err
	}
}

// keptJournal shows what a supervisor that runs no more has left in its state directory.
func (a *app) keptJournal(state string, last int, nobody error, show func(supervisor.Entry) error) error {
	dir, err := a.keptIn(state, nobody)
	if err != nil {
		return err
	}
	lines, err := ringfile.Read(dir, "journal", last)
	if err := a.kept(dir, len(lines), nobody, err); err != nil {
		return err
	}
	for _, line := range lines {
		var e supervisor.Entry
		if json.Unmarshal(line, &e) != nil {
			continue // of another version of ixt
		}
		if err := show(e); err != nil {
			return err
		}
	}
	return nil
}
