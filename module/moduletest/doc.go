// Package moduletest drives a module in a unit test, without a supervisor and without a process. The module runs over the
// real wire, so what a test sees is what a caller sees.
//
//	func TestGreet(t *testing.T) {
//		h := moduletest.Start(t, &greeter{}, moduletest.Options{Config: map[string]any{"greeting": "hello"}})
//		h.Provide("clock.now", func(context.Context, *module.Message) (*module.Response, error) {
//			return module.Payload([]byte("noon")), nil
//		})
//		answer, err := h.Call(t.Context(), "greet.hello", []byte("Ada"))
//		...
//	}
//
// The host services are there in memory. Harness.Publish delivers an event and waits for its handlers, Harness.Events and
// AwaitEvent tell what the module has published, Harness.KV and Harness.Blobs show and change what is kept; Options.Seed fills
// them before Init. All of it behaves as docs/host-services.md says, with these limits: there is one instance and no manifest, so
// everything is allowed, a group is of one, and a durable subscription begins with what comes.
//
// When the test ends the module is shut down, and the test fails if it does not end in order. Everything works inside a
// testing/synctest bubble, where deadlines, graces, TTLs and the pauses before another attempt pass at once.
package moduletest
