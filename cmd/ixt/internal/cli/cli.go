// Package cli is the command line of ixt: one file for each command, and what they share.
//
// A command reads flags, asks a supervisor (a private one, or the running one through its admin socket) and shows what it
// said; it decides nothing about modules itself. Answers go to stdout, everything else to stderr.
package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/manifest"
)

// app is one command line being carried out.
type app struct {
	stdin          io.Reader
	stdout, stderr *output

	socket string             // --socket
	config string             // --config
	node   string             // --node
	found  *manifest.Operator // what settings has found
}

// Run carries out one command line and returns its exit code. The end of ctx has the effect of Ctrl-C.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, interrupts()...)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	// Without this a closed stdout would kill us on the spot, with modules running; now it is an error like any other.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)

	a := &app{stdin: stdin, stdout: newOutput(stdout, cancel), stderr: newOutput(stderr, cancel)}
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if errors.Is(context.Cause(ctx), errNobodyReads) {
		return exitDone // as `| head` expects
	}
	return a.report(cmd, err)
}

// interrupts are the signals that ask for an orderly end.
func interrupts() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "ixt",
		Short: "Run programs in any language as supervised modules, and call them by topic",
		Long: `ixt runs any program, in any language, as a supervised module: one small wire protocol, one manifest, one binary.
Modules are called by topic and call each other; they are restarted, replaced and stopped without a lost answer.`,
		Example: `  ixt call --modules examples echo.say hello   one call, nothing stays behind
  ixt new press --lang python                  a module to start from
  ixt run press                                run it
  ixt ps                                       in another terminal: what runs, and why not`,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = a.checkNode
	root.PersistentFlags().StringVar(&a.socket, "socket", "", "admin socket of the supervisor (default $IXT_ADMIN_SOCKET, or the user's or the machine's)")
	root.PersistentFlags().StringVar(&a.config, "config", "", "the operator's file (default ./supervisor.toml or /etc/ixt/supervisor.toml, if there)")
	_ = root.MarkPersistentFlagFilename("config", "toml")
	// Before the command, where -n is not the number of lines of one.
	root.TraverseChildren = true
	root.Flags().StringVarP(&a.node, "node", "n", "", "look at and steer the supervisor of another `node` of the cluster; before the command")
	root.AddGroup(&cobra.Group{ID: "run", Title: "Run and call:"}, &cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "steer", Title: "Steer:"}, &cobra.Group{ID: "write", Title: "Write modules:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("run", a.runCommand(), a.callCommand(), a.pubCommand(), a.subCommand())
	add("look", a.psCommand(), a.describeCommand(), a.topicsCommand(), a.configCommand(), a.logsCommand(), a.journalCommand(),
		a.crashCommand())
	add("steer", a.startCommand(), a.stopCommand(), a.restartCommand(), a.kvCommand(), a.blobCommand())
	add("write", a.newCommand(), a.devCommand(), a.validateCommand())
	root.AddCommand(a.versionCommand())
	addBuiltin(root)
	return root
}
