package module

import (
	"context"

	"github.com/ixtrun/ixt/ipc"
)

// Module is what an author implements; embed Base for the parts that need no code. Its life is
//
//	Init once ──> Handle and Health, any number, at the same time ──> Shutdown once
//
// A panic in any method fails that one request and leaves its stack in the log.
type Module interface {
	// Init prepares the module for calls: it decodes the configuration, registers topics on in, opens what the module
	// needs. Host services work already; no call arrives before Init has returned. ctx ends when Init returns, so what
	// Init starts needs a ctx of the module's own, ended by Shutdown.
	//
	// An error is a failed start, which the supervisor tries again. An Error with CodeConfigInvalid, as Config.Decode
	// returns it, is not tried again until the configuration changes.
	Init(ctx context.Context, in *Init) error

	// Handle answers a call to a topic for which Init registered no handler of its own. It runs at the same time as other
	// calls, up to Init.MaxConcurrency. ctx ends with the call's deadline, when the caller gives up and when the module
	// must stop; Handle should return soon after.
	Handle(ctx context.Context, msg *Message) (*Response, error)

	// Health reports how the module is. It is asked at any time between Init and Shutdown, also while calls run; it
	// should look and answer, not work.
	Health(ctx context.Context) Health

	// Shutdown releases what Init took. No handler runs any more, unless one ignored the end of its ctx. Host services
	// still work, unless the supervisor is gone. It is called exactly once, and only after an Init that succeeded.
	Shutdown(ctx context.Context) error
}

// Base is the Module that does nothing; embed it to implement only what a module needs.
type Base struct{}

var _ Module = Base{}

// Init does nothing.
func (Base) Init(context.Context, *Init) error { return nil }

// Handle answers UNKNOWN_TOPIC: every topic of the module is registered in Init.
func (Base) Handle(_ context.Context, msg *Message) (*Response, error) {
	return nil, Errorf(CodeUnknownTopic, "this module does not serve %q", msg.Topic)
}

// Health reports healthy and ready.
func (Base) Health(context.Context) Health { return Health{Healthy: true, Ready: true} }

// Shutdown does nothing.
func (Base) Shutdown(context.Context) error { return nil }

// Health is a module's answer to the question how it is. Ready false takes the instance out of routing and restarts
// nothing (a device is offline); Healthy false counts towards a restart. Extra is shown to people as it is.
type Health = ipc.Health

// ModuleID names a running instance, "name:version/instance-001".
type ModuleID = ipc.ModuleID
