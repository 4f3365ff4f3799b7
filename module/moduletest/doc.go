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
// When the test ends the module is shut down, and the test fails if it does not end in order. Everything works inside a
// testing/synctest bubble, where deadlines and graces pass at once.
package moduletest
