package module_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/module/moduletest"
)

// counter counts hot readings of every line and says when there were many.
type counter struct {
	module.Base
	host *module.Host
}

func (c *counter) Init(ctx context.Context, in *module.Init) error {
	c.host = in.Host
	return c.host.Subscribe(ctx, "plc.*.temp", c.onTemp)
}

func (c *counter) onTemp(ctx context.Context, e *module.Event) error {
	var t temperature
	if err := e.Decode(&t); err != nil {
		return err
	}
	if t.Temp < 80 {
		return nil
	}
	hot, err := c.host.KV().Add(ctx, "hot."+t.Line, 1)
	if err != nil || hot < 2 {
		return err
	}
	return module.PublishJSON(ctx, c.host, "line.hot", t.Line)
}

func ExampleHost_Subscribe() {
	t := newExampleTest()
	defer t.end()
	h := moduletest.Start(t, &counter{}, moduletest.Options{})

	for _, reading := range []string{`{"line":"L7","temp":81}`, `{"line":"L7","temp":79}`, `{"line":"L7","temp":85}`} {
		fmt.Println(h.Publish(t.Context(), "plc.l7.temp", []byte(reading)))
	}
	fmt.Println(h.Publish(t.Context(), "plc.l7.temp", []byte(`{"line":7}`)))

	hot, _ := h.KV().Get("hot.L7")
	fmt.Printf("%s hot readings\n", hot)
	for _, e := range h.Events() {
		fmt.Printf("%s %s\n", e.Topic, e.Payload)
	}
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// INVALID_INPUT: plc.l7.temp: payload.Line: is a number, expected a string
	// 2 hot readings
	// line.hot "L7"
}

func ExampleHost_KV() {
	t := newExampleTest()
	defer t.end()
	c := &counter{}
	moduletest.Start(t, c, moduletest.Options{})
	ctx, kv := t.Context(), c.host.KV("line-state") // a bucket that other modules write too

	first, err := module.SetJSON(ctx, kv, "l7", temperature{Line: "L7", Temp: 80})
	fmt.Println("set:", err)
	state, revision, err := module.GetJSON[temperature](ctx, kv, "l7")
	fmt.Println("get:", state.Temp, revision == first, err)
	_, err = module.SetJSON(ctx, kv, "l7", temperature{Line: "L7", Temp: 85}, module.IfRevision(revision))
	fmt.Println("update:", err)
	_, err = module.SetJSON(ctx, kv, "l7", temperature{Line: "L7", Temp: 90}, module.IfRevision(revision))
	fmt.Println("too late:", module.IsConflict(err))
	_, err = kv.Get(ctx, "l8")
	fmt.Println("not there:", module.IsNotFound(err))
	// Output:
	// set: <nil>
	// get: 80 true <nil>
	// update: <nil>
	// too late: true
	// not there: true
}

func ExampleHost_Blob() {
	t := newExampleTest()
	defer t.end()
	c := &counter{}
	moduletest.Start(t, c, moduletest.Options{})
	ctx, images := t.Context(), c.host.Blob("images")

	info, err := images.Put(ctx, "l7/latest.txt", strings.NewReader("a picture of line 7"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Name, info.Size)

	r, err := images.Get(ctx, "l7/latest.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	fmt.Printf("%s, %v\n", content, err)
	// Output:
	// l7/latest.txt 19
	// a picture of line 7, <nil>
}

// exampleTest is a testing.TB where there is none: in an example. A real test hands its own to moduletest.
type exampleTest struct {
	testing.TB
	cleanup []func()
}

func newExampleTest() *exampleTest { return &exampleTest{} }

func (t *exampleTest) Helper()                           {}
func (t *exampleTest) Context() context.Context          { return context.Background() }
func (t *exampleTest) Cleanup(f func())                  { t.cleanup = append(t.cleanup, f) }
func (t *exampleTest) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (t *exampleTest) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *exampleTest) end() {
	for _, f := range t.cleanup {
		f()
	}
}
