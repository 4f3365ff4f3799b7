package cli

import (
	"io"

	"github.com/spf13/cobra"
)

// Commands is the tree of commands, for tests that look at it without running it.
func Commands() *cobra.Command {
	ignore := func(error) {}
	return (&app{stdout: newOutput(io.Discard, ignore), stderr: newOutput(io.Discard, ignore)}).root()
}
