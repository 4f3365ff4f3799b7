package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// keptFlag adds the flag that says where a supervisor that runs no more has left something.
func keptFlag(cmd *cobra.Command, state *string) {
	cmd.Flags().StringVar(state, "state", "", "`directory` to look in when no supervisor runs (default as for ixt run)")
	_ = cmd.MarkFlagDirname("state")
}

// keptIn is the state directory to look in when no supervisor runs, which nobody says. What another node left is not here.
func (a *app) keptIn(flag string, nobody error) (string, error) {
	if a.node != "" {
		return "", nobody
	}
	op, err := a.settings()
	if err != nil {
		return "", err
	}
	return stateDir(flag, op)
}

// kept tells a person that what follows is from a state directory; that there is nothing, or that it cannot be read, is an
// error beside nobody, which says that no supervisor runs either.
func (a *app) kept(dir string, entries int, nobody, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%w; and what the last one left cannot be read: %w", nobody, err)
	case entries == 0:
		return fmt.Errorf("%w; and the last one left nothing of it in %s (--state names another place)", nobody, dir)
	}
	fmt.Fprintf(a.stderr, "no supervisor is running; this is what the last one left in %s\n", dir)
	return nil
}
