package module_test

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/ixtrun/ixt/module"
)

// asModule makes the test binary a module, for the tests of Main.
const asModule = "MODULE_TEST_MAIN"

func TestMain(m *testing.M) {
	switch os.Getenv(asModule) {
	case "":
		goleak.VerifyTestMain(m)
	case "refuses":
		module.Main(&fake{init: func(context.Context, *module.Init) error {
			return module.Errorf(module.CodeConfigInvalid, "config.port:\nis missing")
		}})
	default:
		module.Main(&fake{})
	}
}

// fake is a module made of functions; a nil one does what Base does.
type fake struct {
	module.Base
	init     func(context.Context, *module.Init) error
	handle   module.HandlerFunc
	health   func(context.Context) module.Health
	shutdown func(context.Context) error
}

func (f *fake) Init(ctx context.Context, in *module.Init) error {
	if f.init == nil {
		return f.Base.Init(ctx, in)
	}
	return f.init(ctx, in)
}

func (f *fake) Handle(ctx context.Context, msg *module.Message) (*module.Response, error) {
	if f.handle == nil {
		return f.Base.Handle(ctx, msg)
	}
	return f.handle(ctx, msg)
}

func (f *fake) Health(ctx context.Context) module.Health {
	if f.health == nil {
		return f.Base.Health(ctx)
	}
	return f.health(ctx)
}

func (f *fake) Shutdown(ctx context.Context) error {
	if f.shutdown == nil {
		return f.Base.Shutdown(ctx)
	}
	return f.shutdown(ctx)
}
