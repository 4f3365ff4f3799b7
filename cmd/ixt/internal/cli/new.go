package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/cmd/ixt/internal/scaffold"
)

func (a *app) newCommand() *cobra.Command {
	var lang string
	cmd := &cobra.Command{
		Use:   "new NAME --lang LANGUAGE",
		Short: "Write a new module that builds, runs and has a passing test",
		Example: `  ixt new press --lang python
  ixt new modules/press --lang go`,
		Args:              arguments("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if lang == "" {
				return usage(cmd, "--lang is missing; write --lang go or --lang python")
			}
			language, err := scaffold.ParseLanguage(lang)
			if err != nil {
				return usage(cmd, "%v", err)
			}
			dir, name := filepath.Split(args[0])
			made, err := scaffold.Create(filepath.Clean(dir), name, language, scaffold.Running())
			if err != nil {
				return err
			}
			for _, file := range made.Files {
				fmt.Fprintln(a.stdout, filepath.Join(made.Dir, file))
			}
			if len(made.Next) > 0 {
				fmt.Fprintln(a.stdout, "\nnext:")
			}
			for _, command := range made.Next {
				fmt.Fprintln(a.stdout, "  "+command)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&lang, "lang", "", "language of the module: go or python")
	_ = cmd.RegisterFlagCompletionFunc("lang", cobra.FixedCompletions([]string{"go", "python"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
