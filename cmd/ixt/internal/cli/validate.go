package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/manifest"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate PATH...",
		Short: "Check manifests and operator's files",
		Long: `Check manifest.toml and supervisor.toml files; of a directory, all manifests in and below it. Everything that is wrong is
printed at once, each with its place and what to write instead, and the exit code is 2.`,
		Example: `  ixt validate press/manifest.toml
  ixt validate modules supervisor.toml`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(cmd, "PATH is missing")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var problems manifest.Problems
			for _, path := range args {
				good, err := validate(path)
				for _, file := range good {
					fmt.Fprintf(a.stdout, "%s: ok\n", file)
				}
				var wrong manifest.Problems
				if errors.As(err, &wrong) {
					problems = append(problems, wrong...)
				} else if err != nil {
					return err
				}
			}
			if len(problems) > 0 {
				return problems
			}
			return nil
		},
	}
}

// validate checks a file, or the manifests of a directory, and returns those that are good.
func validate(path string) (good []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &manifest.FindError{Dir: path, Err: errors.Unwrap(err)}
	}
	if !info.IsDir() && operatorsFile(path) {
		if _, err := manifest.LoadOperator(path); err != nil {
			return nil, err
		}
		return []string{path}, nil
	}
	files, err := manifest.Find(path)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, manifest.Problems{{File: path, Message: "no manifest.toml in or below it", Remedy: "name another directory, or a file"}}
	}
	var problems manifest.Problems
	for _, file := range files {
		_, err := manifest.Load(file)
		var wrong manifest.Problems
		switch {
		case err == nil:
			good = append(good, file)
		case errors.As(err, &wrong):
			problems = append(problems, wrong...)
		default:
			return good, err
		}
	}
	if len(problems) > 0 {
		return good, problems
	}
	return good, nil
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
