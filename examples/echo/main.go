// Echo answers with what it is told, as it is or louder, and passes greetings on to another module.
package main

import (
	"bytes"
	"context"
	"unicode/utf8"

	"github.com/ixtrun/ixt/module"
)

func main() { module.Main(&echo{}) }

type echo struct {
	module.Base
	host *module.Host
}

func (e *echo) Init(_ context.Context, in *module.Init) error {
	e.host = in.Host
	in.Handle("echo.say", say)
	in.Handle("echo.shout", shout)
	in.Handle("echo.greet", e.greet)
	return nil
}

func say(_ context.Context, msg *module.Message) (*module.Response, error) {
	return module.Payload(msg.Payload), nil
}

func shout(_ context.Context, msg *module.Message) (*module.Response, error) {
	if !utf8.Valid(msg.Payload) {
		return nil, module.Errorf(module.CodeInvalidInput, "only text can be shouted, and this is not UTF-8")
	}
	return module.Payload(bytes.ToUpper(msg.Payload)), nil
}

// greet lets the module greet do the work. A failure there is answered as it is.
func (e *echo) greet(ctx context.Context, msg *module.Message) (*module.Response, error) {
	return e.host.Call(ctx, "greet.hello", msg.Payload)
}
