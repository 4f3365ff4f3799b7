package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/supervisor"
)

func (a *app) runCommand() *cobra.Command {
	var (
		src         source
		behind      engine
		state       string
		format      string
		open, build bool
	)
	cmd := &cobra.Command{
		Use:   "run [DIR]...",
		Short: "Run the modules of directories in the foreground",
		Long: `Run the modules found in directories, and keep them running: what ends is restarted, what is called is answered.

On a terminal a table under the log shows how the modules are; elsewhere there are plain lines. Ctrl-C stops everything in
order, a second Ctrl-C at once. While it runs, other terminals can use ` + "`ixt ps`, `ixt call`, `ixt logs`" + ` and the rest.`,
		Example: `  ixt run modules
  ixt run press --set press:config.limit=7.5
  ixt run --config /etc/ixt/supervisor.toml --log-format json`,
		ValidArgsFunction: directories,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "console" && format != "json" {
				return usage(cmd, "--log-format %s is unknown; use console or json", format)
			}
			if err := behind.check(cmd); err != nil {
				return err
			}
			op, err := a.operator()
			if err != nil {
				return err
			}
			if len(args) == 0 && len(op.Modules) == 0 {
				return usage(cmd, "no modules to run: name a directory with modules in it, or list some in supervisor.toml")
			}
			src.dirs = args
			opts, err := src.options(op)
			if err != nil {
				return err
			}
			opts.Open, opts.Build = open, build
			services, err := behind.open(op)
			if err != nil {
				return err
			}
			opts.Engine = services
			if opts.StateDir, err = stateDir(state, op); err != nil {
				return err
			}
			if opts.StateDir, err = filepath.Abs(opts.StateDir); err != nil {
				return err
			}
			var v viewer
			look, err := openWindow(cmd.Context(), op, services, func(text string) { v.say(text) })
			if err != nil {
				return err
			}
			defer look.close()
			opts.Spans = look.tracer.Spans()
			sup, err := supervisor.New(opts)
			if err != nil {
				return err
			}
			door, err := a.listen(op)
			if err != nil {
				return err
			}
			switch {
			case format == "json":
				v = newJSONLines(a.stdout)
			case a.stdout.terminal():
				v = newScreen(a.stdout)
			default:
				v = newTextLines(a.stdout)
			}
			greeting := fmt.Sprintf("admin socket %s, state in %s", door.Addr(), opts.StateDir)
			return serve(cmd.Context(), sup, door, opts.StateDir, greeting, v, look)
		},
	}
	src.flags(cmd)
	behind.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&state, "state", "", "directory for logs and the journal (default that of supervisor.toml, or the user's or the machine's)")
	flags.StringVar(&format, "log-format", "console", "how lines are written: console or json")
	flags.BoolVar(&open, "open", false, "let every module use everything, whatever its manifest requires")
	flags.BoolVar(&build, "build", false, "build every module that says how before it starts, not only those whose program is missing")
	_ = cmd.MarkFlagDirname("state")
	_ = cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"console", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
