package module

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// Exit codes of Main.
const (
	exitFailed        = 1
	exitNotSupervised = 2
)

// Main is the whole main function of a module: it calls Run and, if that fails, prints the error as one line and exits
// with code 1, or 2 if no supervisor started the program.
//
// SIGTERM ends the module in order, a second one at once. The first Ctrl-C is left to the supervisor, because a terminal
// sends it to every process in the foreground; a second one ends the module like SIGTERM.
func Main(m Module) {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if <-signals == os.Interrupt {
			fmt.Fprintln(os.Stderr, "left to the supervisor; Ctrl-C again stops this module")
			<-signals
		}
		signal.Stop(signals)
		stop()
	}()
	err := Run(ctx, m, nil)
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", filepath.Base(os.Args[0]), strings.ReplaceAll(err.Error(), "\n", " "))
	if errors.Is(err, ErrNotSupervised) {
		os.Exit(exitNotSupervised)
	}
	os.Exit(exitFailed)
}
