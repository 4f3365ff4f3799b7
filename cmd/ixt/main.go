// Command ixt runs, calls and inspects modules. See `ixt --help`.
package main

import (
	"context"
	"os"

	"github.com/ixtrun/ixt/cmd/ixt/internal/cli"
)

func main() {
	os.Exit(cli.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
