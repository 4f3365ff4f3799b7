package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// The exit codes of ixt. For a call they say whether repeating it is safe.
const (
	exitDone         = 0
	exitError        = 1 // done, with an error
	exitUsage        = 2 // the command line or a manifest is wrong
	exitNotDelivered = 3 // safe to repeat
	exitUnknown      = 4 // it may or may not have taken effect
)

// usageError is a command line that cannot be carried out.
type usageError struct {
	cmd     *cobra.Command
	message string
}

func (e *usageError) Error() string {
	return fmt.Sprintf("%s; see `%s --help`", e.message, e.cmd.CommandPath())
}

func usage(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{cmd, fmt.Sprintf(format, args...)}
}

// flagError is what is wrong with the flags.
func flagError(cmd *cobra.Command, err error) error {
	const place = "the -n that names a node goes before the command, as in `ixt -n box-7 ps`"
	var (
		unknown *pflag.NotExistError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown) && (unknown.GetSpecifiedName() == "n" || unknown.GetSpecifiedName() == "node"):
		return usage(cmd, "%v; %s", err, place)
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return usage(cmd, "%v; write -- before arguments that begin with -", err)
	case errors.As(err, &invalid) && invalid.GetFlag().Shorthand == "n" && cmd.HasParent():
		return usage(cmd, "-n %s is no number; %s", invalid.GetValue(), place)
	}
	return usage(cmd, "%v", err)
}

func unknownCommand(root *cobra.Command, name string) error {
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	if near := manifest.Nearest(name, names); near != "" {
		return usage(root, "there is no command %q; did you mean %s?", name, near)
	}
	return usage(root, "there is no command %q", name)
}

// report prints an error and returns the exit code it stands for.
func (a *app) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return exitDone
	}
	if text := explain(err); text != "" {
		fmt.Fprintln(a.stderr, text)
	}
	var (
		misuse   *usageError
		problems manifest.Problems
		search   *manifest.FindError
		nobody   *admin.NoSupervisorError
		denied   *admin.PermissionError
		call     *ipc.Error
	)
	switch {
	case errors.As(err, &misuse), errors.As(err, &problems), errors.As(err, &search):
		return exitUsage
	case errors.As(err, &nobody), errors.As(err, &denied):
		return exitNotDelivered
	case errors.As(err, &call):
		return exitCode(call)
	}
	return exitError
}

// exitCode is by the outcome, except for what a repeat would end in again.
func exitCode(e *ipc.Error) int {
	switch e.Code {
	case ipc.CodeConfigInvalid, ipc.CodeInvalidInput, ipc.CodeTooLarge:
		if e.Outcome == ipc.NotDelivered { // our own word, not a module's
			return exitUsage
		}
	case ipc.CodeNotFound, ipc.CodeConflict:
		return exitError
	}
	switch e.Outcome {
	case ipc.Done:
		return exitError
	case ipc.NotDelivered:
		return exitNotDelivered
	default:
		return exitUnknown
	}
}

// callError is how a call ended; how much is known about it matters more there than anywhere else.
type callError struct{ error }

func (e callError) Unwrap() error { return e.error }

// explain is the text of an error; that of a call says where it comes from and what it means for the call.
func explain(err error) string {
	var e *ipc.Error
	var call callError
	switch {
	case !errors.As(err, &e) && errors.Is(err, context.Canceled):
		return "" // whoever pressed Ctrl-C knows
	case !errors.As(err, &e):
		return err.Error()
	case !errors.As(err, &call):
		return printable(e.Message)
	}
	var b strings.Builder
	b.WriteString(printable(e.Error()))
	if len(e.Details) > 0 {
		fmt.Fprintf(&b, "\ndetails: %s", e.Details)
	}
	fmt.Fprintf(&b, "\norigin: %s, outcome: %s", e.Origin, e.Outcome)
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, ", retry after %s", e.RetryAfter)
	}
	return b.String()
}

// arguments checks how many there are; names are what the help calls them, those in brackets may be left out.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		required := 0
		for _, name := range names {
			if !strings.HasPrefix(name, "[") {
				required++
			}
		}
		switch {
		case len(args) < required:
			return usage(cmd, "%s is missing", names[len(args)])
		case len(args) > len(names):
			return usage(cmd, "%q is one argument too many", args[len(names)])
		}
		return nil
	}
}
