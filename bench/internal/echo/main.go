// Echo is the module that is measured: it answers with what it is told. It can also put a load on another module
// ("drive.load"), and with the argument "byte" it is a bare process that only says that it runs.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/bench/internal/profile"
	"github.com/ixtrun/ixt/module"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "byte" {
		_, _ = os.Stdout.Write([]byte{1})
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	module.Main(&echo{})
}

type echo struct {
	module.Base
	host   *module.Host
	finish func() error // writes the profiles, if any are wanted
}

func (e *echo) Init(_ context.Context, in *module.Init) (err error) {
	e.host = in.Host
	in.Handle("echo.say", say)
	module.HandleJSON(in, "drive.load", e.drive)
	e.finish, err = profile.FromEnv().Start(fmt.Sprintf("%s-%d", in.ID.Name, os.Getpid()))
	return err
}

func (e *echo) Shutdown(context.Context) error { return e.finish() }

func say(_ context.Context, msg *module.Message) (*module.Response, error) {
	return module.Payload(msg.Payload), nil
}

// drive calls echo.say of another module, through the supervisor.
func (e *echo) drive(ctx context.Context, spec load.Spec) (load.Result, error) {
	return load.Run(ctx, func(ctx context.Context, payload []byte) ([]byte, error) {
		answer, err := e.host.Call(ctx, "echo.say", payload)
		if err != nil {
			return nil, err
		}
		got, _ := answer.Payload() // what is no payload is not equal to it either
		return got, nil
	}, spec)
}
