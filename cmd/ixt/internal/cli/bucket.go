package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// bucketed is a command on a bucket of a service, the first of its arguments. It is for buckets that there are: one that no module has
// and no manifest names would be made by a slip of the hand. That is asked before run; what is wrong with flags is for PreRunE.
func (a *app) bucketed(service, use, short, example string, names []string, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: example,
		Args: arguments(names...), ValidArgsFunction: a.completeBuckets(service),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.needBucket(cmd, service, args[0]); err != nil {
				return err
			}
			return run(cmd, args)
		},
	}
}

// createFlag lets a command make a bucket.
func createFlag(cmd *cobra.Command) {
	cmd.Flags().Bool("create", false, "make the bucket if there is none of that name")
}

// needBucket is an error if there is no such bucket and the command must not make it.
func (a *app) needBucket(cmd *cobra.Command, service, name string) error {
	if name == "" {
		return usage(cmd, "BUCKET is empty; write the name of a module, or of a bucket that modules share")
	}
	create := cmd.Flags().Lookup("create")
	if create != nil && create.Value.String() == "true" {
		return checkBucket(cmd, name)
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	known, err := client.Buckets(cmd.Context(), service)
	if err != nil || slices.Contains(known, name) {
		return err
	}
	e := ipc.Refuse(ipc.CodeNotFound, "there is no module or bucket %q", name)
	if create != nil {
		e.Message += "; --create makes one"
	}
	if near := manifest.Nearest(name, known); near != "" {
		e.Message += "; did you mean " + near + "?"
	}
	return e
}

// checkBucket asks the manifest's own rule: a bucket that no manifest can name would be of no use to modules.
func checkBucket(cmd *cobra.Command, name string) error {
	err := manifest.CheckString("schema_version = \"3.0\"\nmodule = { name = \"any\", version = \"0.1.0\" }\nrequires.kv = [%s]\n", name)
	var problem manifest.Problem
	if errors.As(err, &problem) {
		return usage(cmd, "%s; %s", problem.Message, problem.Remedy)
	}
	return err
}

// completeBuckets completes the one argument with the names of buckets.
func (a *app) completeBuckets(service string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.complete(cmd, args, func(ctx context.Context, c *admin.Client) []string {
			names, _ := c.Buckets(ctx, service)
			return names
		})
	}
}
