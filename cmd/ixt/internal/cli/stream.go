package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

// stream is what the commands have in common that show the end of something long.
type stream struct {
	follow bool
	json   bool
	last   int
}

func (s *stream) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&s.follow, "follow", "f", false, "and go on with what comes, until Ctrl-C or the supervisor stops")
	cmd.Flags().IntVarP(&s.last, "last", "n", 100, "how many of the newest")
	cmd.Flags().BoolVar(&s.json, "json", false, "print JSON, one value per line")
}

// count is how many of the newest are asked for, as the queries of package admin have it.
func (s *stream) count(cmd *cobra.Command) (int, error) {
	switch {
	case s.last < 0:
		return 0, usage(cmd, "-n %d is no number of lines; write 0 or more", s.last)
	case s.last == 0:
		return -1, nil
	}
	return s.last, nil
}

// ended makes of Ctrl-C the ordinary end of following.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
