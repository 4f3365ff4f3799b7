package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

func (a *app) validateCommand() *cobra.Command {
	var src source
	cmd := &cobra.Command{
		Use:   "validate PATH...",
		Short: "Check manifests and operator's files",
		Long: `Check manifest.toml and supervisor.toml files as ` + "`ixt run`" + ` would read them: of a directory all manifests in and below it, with
the operator's file laid over them and the modules beside them that it names, and all files compared with their digests.
Everything that is wrong is printed at once, each with its place and what to write instead, and the exit code is 2.

Where no operator's file is named, the one that ` + "`ixt run`" + ` would use counts. Several are laid over the manifests one by one.`,
		Example: `  ixt validate press/manifest.toml
  ixt validate modules supervisor.toml`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(cmd, "PATH is missing")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			opts, err := src.options(nil)
			if err != nil {
				return err
			}
			v := &validation{opts: opts}
			operators := v.sort(args)
			if a.config != "" || len(operators) == 0 {
				operators = append(operators, a.operatorFile())
			}
			for _, file := range operators {
				v.check(file)
			}
			for _, file := range v.good() {
				fmt.Fprintf(a.stdout, "%s: ok\n", file)
			}
			return errors.Join(v.problems.Err(), v.failures)
		},
	}
	src.flags(cmd)
	return cmd
}

// validation gathers which files have been read and all that is wrong with them.
type validation struct {
	opts     *supervisor.Options // with the paths that hold modules, without an operator
	files    []string
	problems manifest.Problems
	failures error // of other kinds
}

func (v *validation) wrong(err error) { v.failures = errors.Join(v.failures, v.problems.Gather(err)) }

// sort adds the paths that hold modules to the options, and returns the others, which are operator's files.
func (v *validation) sort(paths []string) (operators []string) {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && !info.IsDir() && operatorsFile(path) {
			operators = append(operators, path)
			continue
		}
		files, err := manifest.Find(path)
		switch {
		case err != nil:
			v.wrong(err)
		case len(files) == 0:
			v.wrong(manifest.Problems{{File: path, Message: "no manifest.toml in or below it", Remedy: "name another directory, or a file"}})
		default:
			v.opts.Dirs = append(v.opts.Dirs, path)
		}
	}
	return operators
}

// check reads the modules with an operator's file laid over them; "" is none.
func (v *validation) check(operator string) {
	op, err := loadOperator(operator)
	var files []string
	if err == nil {
		files, err = manifest.Find(slices.Concat(v.opts.Dirs, op.Modules)...)
	}
	if err != nil {
		v.wrong(err)
		v.checkAlone()
		return
	}
	if v.files = append(v.files, files...); operator != "" {
		v.files = append(v.files, operator)
	}
	if len(v.opts.Dirs)+len(op.Modules) == 0 {
		return // it is to be laid over modules that are named elsewhere
	}
	opts := *v.opts
	opts.Operator = op
	_, err = supervisor.Check(&opts)
	v.wrong(err)
}

// checkAlone reads the manifests by themselves: what they lack may stand where it could not be read.
func (v *validation) checkAlone() {
	files, err := manifest.Find(v.opts.Dirs...)
	v.wrong(err)
	v.files = append(v.files, files...)
	for _, file := range files {
		_, err := manifest.Load(file)
		v.wrong(err)
	}
}

// good are the files with which nothing is wrong, each once.
func (v *validation) good() []string {
	bad := map[string]bool{}
	for _, p := range v.problems {
		bad[p.File] = true
	}
	return slices.DeleteFunc(v.files, func(file string) bool {
		defer func() { bad[file] = true }()
		return bad[file]
	})
}

// operatorsFile tells the two kinds of files apart: by name, else by which of the two fewer problems are found in it as.
func operatorsFile(path string) bool {
	switch filepath.Base(path) {
	case "supervisor.toml":
		return true
	case "manifest.toml":
		return false
	}
	_, author := manifest.Load(path)
	_, operator := manifest.LoadOperator(path)
	return faults(operator) < faults(author)
}

func faults(err error) int {
	var problems manifest.Problems
	if errors.As(err, &problems) {
		return len(problems)
	}
	return 0
}
