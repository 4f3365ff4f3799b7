package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtrun/ixt/ipc"
)

func (a *app) blobCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "blob",
		Short: "Look at and change the blobs that modules keep",
		Long: `Look at and change the blobs that modules keep: bytes of any size under a name. Every module has a bucket that is called like
itself; others are shared by those whose manifests name them.`,
		Example: `  ixt blob ls camera
  ixt blob get camera l7/last.png -o last.png`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.blobGet(), a.blobPut(), a.blobList(), a.blobRemove())
	return cmd
}

func (a *app) blobGet() *cobra.Command {
	var file string
	cmd := a.bucketed(ipc.ServiceBlob, "get BUCKET NAME", "Print a blob, or write it to a file", "  ixt blob get camera l7/last.png -o last.png", []string{"BUCKET", "NAME"},
		func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			if file == "" {
				return client.GetBlob(cmd.Context(), args[0], args[1], a.stdout)
			}
			return inPlace(cmd.Context(), file, func(w io.Writer) error { return client.GetBlob(cmd.Context(), args[0], args[1], w) })
		})
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if file == "" && a.stdout.terminal() {
			return usage(cmd, "a blob may be anything, which is not for a terminal; write it to a file with -o")
		}
		return nil
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write it to this `file`, which is there when it is whole")
	return cmd
}

func (a *app) blobPut() *cobra.Command {
	cmd := a.bucketed(ipc.ServiceBlob, "put BUCKET NAME [FILE]", "Store a file, or stdin, as a blob", "  ixt blob put camera mask.png mask.png\n  ixt blob put camera recipe < recipe.json",
		[]string{"BUCKET", "NAME", "[FILE]"}, func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			from := a.stdin
			if len(args) > 2 && args[2] != "-" {
				f, err := os.Open(args[2])
				if err != nil {
					return err
				}
				defer f.Close()
				from = f
			}
			info, err := client.PutBlob(cmd.Context(), args[0], args[1], from)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "%d bytes, sha256 %s\n", info.Size, info.SHA256)
			return err
		})
	createFlag(cmd)
	return cmd
}

func (a *app) blobList() *cobra.Command {
	var asJSON bool
	cmd := a.bucketed(ipc.ServiceBlob, "ls BUCKET [PREFIX]", "List blobs", "  ixt blob ls camera\n  ixt blob ls camera l7/", []string{"BUCKET", "[PREFIX]"},
		func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			var list ipc.BlobList
			if err := client.Ask(cmd.Context(), ipc.ServiceBlob, ipc.MethodList, ipc.BlobParams{Bucket: args[0], Prefix: second(args)}, &list); err != nil {
				return err
			}
			if asJSON {
				return a.stdout.json(list.Blobs)
			}
			t := &table{head: []string{"NAME", "BYTES", "STORED", "SHA256"}}
			for _, b := range list.Blobs {
				t.add(printable(b.Name), strconv.FormatInt(b.Size, 10), time.UnixMilli(b.TimeMS).Format(time.DateTime), b.SHA256[:min(12, len(b.SHA256))])
			}
			return a.stdout.table(t)
		})
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) blobRemove() *cobra.Command {
	return a.bucketed(ipc.ServiceBlob, "rm BUCKET NAME", "Remove a blob", "  ixt blob rm camera mask.png", []string{"BUCKET", "NAME"},
		func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			return client.Ask(cmd.Context(), ipc.ServiceBlob, ipc.MethodDelete, ipc.BlobParams{Bucket: args[0], Name: args[1]}, nil)
		})
}
