// Package module is the SDK with which a module is written in Go: a program that a supervisor starts, calls by topic, watches
// and stops.
//
//	package main
//
//	import (
//		"context"
//		"strings"
//
//		"github.com/ixtrun/ixt/module"
//	)
//
//	func main() { module.Main(&shout{}) }
//
//	type shout struct {
//		module.Base
//		cfg struct{ Mark string }
//	}
//
//	func (s *shout) Init(ctx context.Context, in *module.Init) error {
//		module.HandleJSON(in, "shout.text", s.text)
//		return in.Config.Decode(&s.cfg)
//	}
//
//	func (s *shout) text(ctx context.Context, text string) (string, error) {
//		return strings.ToUpper(text) + s.cfg.Mark, nil
//	}
//
// Package moduletest drives a module in a unit test; examples/echo is a whole module with its manifest and test.
//
// # Lifecycle
//
// The supervisor starts the program, and Main (or Run, in a program with a main function of its own) connects to it:
//
//	Init       once: decode the configuration, register topics, open devices; an error is a failed start
//	handlers   for every call and event, many at a time; topics without a handler go to Handle
//	Health     asked now and then, from the end of Init on, also while handlers run
//	Shutdown   once, when no handler runs any more; only after an Init that succeeded
//
// The ctx of Init ends when Init returns. What runs in the background needs a ctx of its own, which Shutdown cancels.
//
// # Configuration
//
// Config.Decode fills a struct and is strict about it: a key without a field and a value of another type are errors that name
// the key, "config.limit". Fields without a key keep their value; the manifest's defaults are filled in already. Return its
// error from Init as it is: it tells the supervisor that retrying cannot help.
//
// # Concurrency
//
// Every call has a goroutine of its own, so what handlers share needs a lock. Init.MaxConcurrency bounds them, 64 unless
// Options or Init say otherwise; the supervisor queues what is above it, and 1 gives one call after the other. Health,
// Shutdown and events do not count: the events of one subscription come one after the other, beside everything else.
// Everything in this package may be used by several goroutines at once, except Init's fields and a BlobReader.
//
// # Cancellation
//
// The ctx of a handler ends when the call's deadline passes, when its caller gives up, when the supervisor is gone, and
// when half of the time to stop is over. A handler should return soon after that, with ctx.Err() or with whatever it has:
// until it returns, the call counts against MaxConcurrency. A handler that never does is named in the error of Run, and ends
// with the program. The ctx of an event's handler ends in the same way, and requests made with it are nested in nothing.
//
// In the other direction, a ctx given to a Host method bounds that call. One made with the handler's ctx is nested in the
// handler's call: it ends with it, carries its trace id, and the supervisor refuses a circle of calls that would wait for
// itself (LOOP).
//
// # Errors
//
// What a handler returns becomes the caller's error:
//
//	Errorf("NO_INK", ...)          NO_INK, a code of your own, also inside fmt.Errorf("...: %w")
//	any other error                HANDLER_ERROR, with its text
//	ctx.Err()                      TIMEOUT or CANCELLED
//	the error of a Host method     the same code; the original with its outcome under details.cause
//	a panic                        HANDLER_PANIC; the module lives on, the stack is in the log
//
// A caller sees each of them with outcome Done: the module was reached and answered. An event has no caller: its error is logged
// or, with Durable, brings the event again. For the requests a module makes itself, OutcomeOf tells whether repeating is safe:
// NotDelivered is, Unknown may have taken effect or not, Done was answered.
//
// # Calls of other modules
//
// Host.Call asks by topic and waits, Host.Send does not wait for how it ends. Who gets it, and before whom, is said by the ctx:
//
//	verdict, err := module.CallJSON[verdict](ctx, p.host, "press.check", reading)
//	err = p.host.Send(module.WithTarget(ctx, "press:2.4.1"), "press.recalibrate", nil)
//
// # Events
//
// An event tells whoever wants to know; its publisher waits for nobody. Subscribe in Init, so that a restart subscribes again:
//
//	return p.host.Subscribe(ctx, "plc.*.temp", p.onTemp)
//	return p.host.Subscribe(ctx, "order.>", p.onOrder, module.Durable("orders"), module.Group())
//
//	err := module.PublishJSON(ctx, p.host, "press.checked", result)
//
// The handler gets one event at a time, in order. Without Durable an event comes at most once, and a handler that is too slow
// loses the oldest: Event.Lost says how many. With Durable it comes at least once, so handling it twice must do no harm.
// Each instance of a module has every event, or with Group one of them does.
//
// # State
//
// Host.KV keeps values by key, in the module's own bucket or in one that several modules name:
//
//	seen, err := p.host.KV().Add(ctx, "seen", 1)
//	revision, err := module.SetJSON(ctx, p.host.KV("line-state"), "l7.limits", limits, module.TTL(time.Hour))
//
// To change what others change too, read it, and write it if it is still at that revision; IsConflict says to begin again:
//
//	limits, revision, err := module.GetJSON[limits](ctx, kv, "l7.limits")
//	limits.Temp += 5
//	_, err = module.SetJSON(ctx, kv, "l7.limits", limits, module.IfRevision(revision))
//
// KV.Watch calls a handler with every key's present value and then with each change. Like an event's, it runs when Init has
// returned; what Init itself needs it reads with Get.
//
// Host.Blob keeps what is large: a file, an image, a model. It goes through io.Reader in both directions, in bounded memory, and
// nobody sees a part of it:
//
//	info, err := p.host.Blob("images").Put(ctx, "l7/latest.png", file)
//	r, err := p.host.Blob("models").Get(ctx, "press.onnx") // its last Read has verified the checksum
//
// # Log
//
// Init.Log and Log(ctx) write JSON lines to standard error. The supervisor keeps their level and fields, and Log(ctx) adds
// the trace id of the call or the event. Printing works too; neither standard output nor standard error is part of the protocol.
package module
