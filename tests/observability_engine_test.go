package tests

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	tracing "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
	"github.com/ixtrun/ixt/trace"
)

// withEngine gives the fleet an engine.
func (f *fleet) withEngine(opts host.Options) *host.Host {
	h, err := host.New(&opts)
	require.NoError(f.t, err)
	f.opts.Engine, f.opts.StateDir = h, shortDir(f.t)
	return h
}

// withTracer has the fleet's spans sent to a collector; the function it returns sends the last of them.
func (f *fleet) withTracer(c *otlpCollector) *trace.Exporter {
	tracer, err := trace.Open(&trace.Options{Endpoint: c.URL, Version: "v9.9.9", Report: func(text string) { f.t.Error(text) }})
	require.NoError(f.t, err)
	f.t.Cleanup(tracer.Close)
	f.opts.Spans = tracer.Spans()
	return tracer
}

// Every metric there is, is documented, and the reverse.
func TestMetricsAreDocumented(t *testing.T) {
	f := newFleet(t)
	h, tracer := f.withEngine(host.Options{}), f.withTracer(newCollector(t))
	f.add("asker", "asking", []string{"asker.ask"}, "[requires]\nevents = [\"plc.>\"]\n")
	f.start()
	_, err := f.ask("events", "subscribe", `{"pattern":"plc.n"}`)
	require.NoError(t, err)
	_, err = f.ask("events", "publish", `{"topic":"plc.n"}`)
	requireCode(t, err, ipc.CodeDenied, ipc.Done)
	require.NoError(t, f.Restart(f.ctx, "asker"))
	g := f.Guest(nil)
	_, err = g.Ask(f.ctx, "events", "publish", ipc.ObjectData([]byte(`{"topic":"elsewhere"}`)))
	require.NoError(t, err)
	g.Close()

	server := admin.NewServer(f.Supervisor, admin.Info{Version: "v9.9.9", Protocol: ipc.Version, Started: time.Unix(1700000000, 0)})
	require.NoError(t, server.Metrics(tracer, h))
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequestWithContext(f.ctx, http.MethodGet, "/metrics", nil))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	m, err := parser.TextToMetricFamilies(w.Body)
	require.NoError(t, err)
	requireDocumented(t, m)
}

// The spans of a call that goes to another node, and of the calls made in its handling there, are one tree.
func TestCallThatCrossesNodesIsOneTrace(t *testing.T) {
	c := newCollector(t)
	near, far := newFleet(t), newFleet(t)
	nearTracer, farTracer := near.withTracer(c), far.withTracer(c)
	far.withEngine(host.Options{Node: "far", Listen: "127.0.0.1:0"})
	far.add("middle", "polite", []string{"middle.forward"}, "[services.\"middle.forward\"]\nexport = true\n[requires]\nservices = [\"back.say\"]\n")
	far.add("back", "polite", []string{"back.say"}, "")
	far.start()
	listens := far.await("the engine to listen", func(e supervisor.Entry) bool { return strings.Contains(e.Text, "the engine listens at ") })
	_, address, _ := strings.Cut(listens.Text, "listens at ")
	h := near.withEngine(host.Options{Node: "near", URL: "nats://" + address})
	near.add("front", "polite", []string{"front.forward"}, "[requires]\nservices = [\"middle.forward\"]\nremote = [\"middle.forward\"]\n")
	near.start()
	require.Eventually(t, func() bool { return h.Provides("middle.forward", "far") }, patience, 10*time.Millisecond)

	const id = "0af7651916cd43dd8448eb211c80319c"
	answer, err := near.Call(near.ctx, supervisor.Message{Topic: "front.forward", Payload: []byte("middle.forward back.say hello"), TraceID: id})
	require.NoError(t, err)
	payload, _ := answer.Payload()
	require.Equal(t, "hello", string(payload))
	near.halt()
	far.halt()
	nearTracer.Close()
	farTracer.Close()

	names := map[string]string{"": "nobody"} // of spans, by id
	middle := c.named("call middle.forward")
	require.Len(t, middle, 2, "one on each node")
	here, there := middle[0], middle[1]
	if string(here.ParentSpanId) == string(there.SpanId) {
		here, there = there, here
	}
	here.Name, there.Name = here.Name+" here", there.Name+" there"
	var all []*tracing.Span
	c.mu.Lock()
	for _, spans := range c.spans {
		all = append(all, spans...)
	}
	c.mu.Unlock()
	for _, s := range all {
		require.Equal(t, id, hex.EncodeToString(s.TraceId), s.Name)
		require.NotContains(t, names, string(s.SpanId), "%s and %s have one id", s.Name, names[string(s.SpanId)])
		names[string(s.SpanId)] = s.Name
	}
	var tree []string
	for _, s := range all {
		require.Contains(t, names, string(s.ParentSpanId), s.Name)
		tree = append(tree, fmt.Sprintf("%s < %s", s.Name, names[string(s.ParentSpanId)]))
	}
	require.ElementsMatch(t, []string{
		"call front.forward < nobody",
		"queue front.forward < call front.forward",
		"handle front.forward < call front.forward",
		"call middle.forward here < handle front.forward",
		"call middle.forward there < call middle.forward here",
		"queue middle.forward < call middle.forward there",
		"handle middle.forward < call middle.forward there",
		"call back.say < handle middle.forward",
		"queue back.say < call back.say",
		"handle back.say < call back.say",
	}, tree)
}

// named are the spans of a name.
func (c *otlpCollector) named(name string) []*tracing.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spans[name]
}
