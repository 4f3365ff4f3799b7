package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// checkNode refuses what -n cannot take to another node, rather than doing it here or not at all.
func (a *app) checkNode(cmd *cobra.Command, _ []string) error {
	if a.node == "" {
		return nil
	}
	cannot := func(format string, args ...any) error {
		return usage(cmd, "-n %s: %s", a.node, fmt.Sprintf(format, args...))
	}
	follow, _ := cmd.Flags().GetBool("follow") // few commands have it
	name, _, _ := strings.Cut(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" "), " ")
	switch {
	case name == "run":
		return cannot("`ixt run` starts a supervisor on this machine; to start one there, run it there; to give this one a name, write --node behind run")
	case name == "dev", name == "new", name == "validate", name == "version", name == "completion":
		return cannot("`ixt %s` is done on this machine and asks no supervisor; leave out -n, or run it there", name)
	case cmd.Flags().Changed("modules"):
		return cannot("--modules is about files of this machine and asks no other node; leave out one of the two")
	case cmd.CommandPath() == "ixt blob get", cmd.CommandPath() == "ixt blob put":
		return cannot("a blob cannot be sent through another node; blobs are shared by all nodes on the NATS server, so leave out -n")
	case name == "sub", cmd.CommandPath() == "ixt kv watch":
		return cannot("what goes on cannot be shown through another node; events and keys are shared by all nodes on the NATS server, so leave out -n")
	case follow:
		return cannot("-f cannot be done through another node; leave out -f for what there is now, or run it there")
	}
	return nil
}
