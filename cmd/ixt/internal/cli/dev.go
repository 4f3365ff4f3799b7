package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

func (a *app) devCommand() *cobra.Command {
	var src source
	cmd := &cobra.Command{
		Use:   "dev MANIFEST",
		Short: "Supervise a module that you start yourself, in a debugger say",
		Long: `Supervise a module without spawning it: ixt prints two export lines, and waits until you start the module with them, in a
debugger or wherever you like. Health and call timeouts are off, so a breakpoint may take its time. When the module ends, ixt
waits for it to be started again. Meanwhile ` + "`ixt call`" + ` and the other commands work; Ctrl-C stops.

Modules that yours calls can run beside it: name their directories with --modules. An operator's file counts only if --config
names it.`,
		Example: `  ixt dev press/manifest.toml
  ixt dev press --modules examples`,
		Args: arguments("MANIFEST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := moduleName(cmd, args[0])
			if err != nil {
				return err
			}
			op, err := a.namedOperator()
			if err != nil {
				return err
			}
			src.dirs = append(src.dirs, args[0])
			opts, err := src.options(op)
			if err != nil {
				return err
			}
			opts.ByHand, opts.Build = map[string]bool{name: true}, true
			sup, err := supervisor.New(opts)
			if err != nil {
				return err
			}
			door, err := a.listen(op)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), sup, door, "", "admin socket "+door.Addr().String(), &devLines{out: a.stdout, name: name}, nil)
		},
	}
	src.modulesFlag(cmd, "run the modules of this `directory` beside it (repeatable)")
	src.flags(cmd)
	return cmd
}

// moduleName is that of the one module at path, a manifest or its directory.
func moduleName(cmd *cobra.Command, path string) (string, error) {
	files, err := manifest.Find(path)
	if err != nil {
		return "", err
	}
	if len(files) != 1 {
		return "", usage(cmd, "there are %d manifests in %s; name the one of the module that you start", len(files), path)
	}
	m, err := manifest.Load(files[0])
	if err != nil {
		return "", err
	}
	return m.Name, nil
}

// devLines shows how the module that a person starts comes and goes, and the journal around it.
type devLines struct {
	out      *output
	name     string
	attached bool // belongs to watch
}

func (d *devLines) say(text string) { fmt.Fprintln(d.out, text) }

func (d *devLines) watch(sup *supervisor.Supervisor) {
	for e := range sup.Journal().Follow(context.Background(), 0) {
		fmt.Fprintln(d.out, entryLine(e, time.Now()))
		if e.Module != d.name || e.Kind != supervisor.KindState {
			continue
		}
		switch e.State {
		case supervisor.Waiting:
			d.invite(sup, e.Instance)
		case supervisor.Starting:
			if d.attached {
				fmt.Fprintf(d.out, "\n%s has gone\n\n", d.name)
			}
			d.attached = false
		case supervisor.Ready:
			d.attached = true
			fmt.Fprintf(d.out, "\n%s is attached; `ixt call` reaches it from another terminal\n\n", d.name)
		}
	}
}

// invite prints what to type so that the module finds its way here.
func (d *devLines) invite(sup *supervisor.Supervisor, instance int) {
	m, err := sup.Module(d.name)
	if err != nil {
		return
	}
	for _, in := range m.Instances {
		if in.Instance != instance || in.Socket == "" {
			continue
		}
		id := ipc.ModuleID{Name: m.Name, Version: m.Version, Instance: instance}
		fmt.Fprintf(d.out, "\nexport %s=%s\nexport %s=%s\n\nstart the module with these, from %s\n\n",
			ipc.EnvSocket, in.Socket, ipc.EnvModuleID, id, filepath.Dir(m.Manifest))
	}
}
