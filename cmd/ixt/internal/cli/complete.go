package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
)

// completionTime is how long a person who pressed Tab is kept waiting for a supervisor.
const completionTime = 300 * time.Millisecond

// completeModules completes the one argument with the names of modules: those in the directories of src, which may be nil, else
// the running supervisor's.
func (a *app) completeModules(src *source) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.complete(cmd, args, func(ctx context.Context, c *admin.Client) (names []string) {
			if src.named() {
				for _, m := range src.readable() {
					names = append(names, cobra.CompletionWithDesc(m.Name, m.Description))
				}
				return names
			}
			modules, _ := c.Modules(ctx) // without a supervisor there is nothing to offer
			for _, m := range modules {
				names = append(names, cobra.CompletionWithDesc(m.Name, m.Description))
			}
			return names
		})
	}
}

// completeTopics is the same for the topics that modules provide.
func (a *app) completeTopics(src *source) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.complete(cmd, args, func(ctx context.Context, c *admin.Client) (names []string) {
			if src.named() {
				for _, m := range src.readable() {
					names = append(names, m.Provides.Services...)
				}
				return names
			}
			topics, _ := c.Topics(ctx)
			for _, t := range topics {
				names = append(names, t.Topic)
			}
			return names
		})
	}
}

func (a *app) complete(cmd *cobra.Command, args []string, ask func(context.Context, *admin.Client) []string) ([]string, cobra.ShellCompDirective) {
	client, err := a.client()
	if len(args) > 0 || err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	return ask(ctx, client), cobra.ShellCompDirectiveNoFileComp
}

// directories completes with directories.
func directories(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}
