package tests

import (
	"cmp"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	collecting "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracing "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
	"github.com/ixtrun/ixt/trace"
)

// families are the answer to GET /metrics, by name.
type families map[string]*dto.MetricFamily

// scrape asks a supervisor's admin API as Prometheus does.
func (f *fleet) scrape(tracer *trace.Exporter) families {
	server := admin.NewServer(f.Supervisor, admin.Info{Version: "v9.9.9", Protocol: ipc.Version, Started: time.Unix(1700000000, 0)})
	require.NoError(f.t, server.Metrics(tracer))
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequestWithContext(f.ctx, http.MethodGet, "/metrics", nil))
	require.Equal(f.t, http.StatusOK, w.Code)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	out, err := parser.TextToMetricFamilies(w.Body)
	require.NoError(f.t, err)
	return out
}

// find is the metric with these labels, given as name=value.
func (f families) find(name string, labels ...string) *dto.Metric {
	for _, m := range f[name].GetMetric() {
		if has := labelsOf(m); !slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(has, l) }) {
			return m
		}
	}
	return nil
}

func labelsOf(m *dto.Metric) (labels []string) {
	for _, l := range m.GetLabel() {
		labels = append(labels, l.GetName()+"="+l.GetValue())
	}
	return labels
}

// value is that of a counter or gauge; 0 if it is not there.
func (f families) value(name string, labels ...string) float64 {
	m := f.find(name, labels...)
	return cmp.Or(m.GetCounter().GetValue(), m.GetGauge().GetValue())
}

// calls are all that ended on a topic.
func (f families) calls(topic string) (n uint64) {
	for _, m := range f["ixt_calls_total"].GetMetric() {
		if slices.Contains(labelsOf(m), "topic="+topic) {
			n += uint64(m.GetCounter().GetValue())
		}
	}
	return n
}

func (f families) observed(name, topic string) uint64 {
	return f.find(name, "topic="+topic).GetHistogram().GetSampleCount()
}

func TestMetricsTellHowCallsEnded(t *testing.T) {
	f, g := newFleet(t), newGate(t)
	f.add("echo", "polite", []string{"echo.say", "echo.fail"}, "")
	f.add("work", "polite", []string{"work.crash"}, "[services.\"work.crash\"]\nidempotent = true\n[restart]\ninitial = \"1ms\"\n")
	f.add("narrow", "serial", []string{"narrow.gate", "narrow.say"}, "[services.\"narrow.say\"]\nqueue = 0\n")
	f.start()
	for _, module := range []string{"echo", "work", "narrow"} {
		f.awaitState(module, supervisor.Ready)
	}
	for range 3 {
		_, err := f.say("echo.say", "hello")
		require.NoError(t, err)
	}
	_, err := f.say("echo.fail", "")
	require.Equal(t, ipc.Done, ipc.OutcomeOf(err))
	_, err = f.say("echo.shout", "")
	requireCode(t, err, ipc.CodeNoProvider, ipc.NotDelivered)
	_, err = f.say("work.crash", "")
	requireCode(t, err, ipc.CodeModuleGone, ipc.Unknown)
	f.await("three restarts", func(e supervisor.Entry) bool {
		return e.Module == "work" && e.State == supervisor.Ready && f.instance("work").Restarts == 3
	})
	_, err = f.Call(f.ctx, supervisor.Message{Topic: "narrow.gate", Payload: []byte(g.path), TTL: 100 * time.Millisecond})
	requireCode(t, err, ipc.CodeTimeout, ipc.Unknown)
	_, err = f.say("narrow.say", "")
	requireCode(t, err, ipc.CodeBusy, ipc.NotDelivered)
	g.arrival().pass()
	require.Eventually(t, func() bool { return f.topic("narrow.gate").Late == 1 }, patience, time.Millisecond)
	require.NoError(t, f.Restart(f.ctx, "narrow"))

	m := f.scrape(nil)
	require.EqualValues(t, 3, m.value("ixt_calls_total", "topic=echo.say", "outcome=done", "code="))
	for _, labels := range [][]string{
		{"topic=echo.fail", "outcome=done", "code=NO_PROVIDER"}, // which a module has said, and nobody believes
		{"topic=", "outcome=not_delivered", "code=NO_PROVIDER"},
		{"topic=work.crash", "outcome=unknown", "code=MODULE_GONE"},
		{"topic=narrow.gate", "outcome=unknown", "code=TIMEOUT"},
		{"topic=narrow.say", "outcome=not_delivered", "code=BUSY"},
	} {
		require.EqualValues(t, 1, m.value("ixt_calls_total", labels...), labels)
	}
	require.EqualValues(t, 2, m.value("ixt_call_retries_total", "topic=work.crash"))
	require.EqualValues(t, 1, m.value("ixt_calls_rejected_total", "topic=narrow.say"))
	require.EqualValues(t, 1, m.value("ixt_call_late_answers_total", "topic=narrow.gate"))
	require.GreaterOrEqual(t, f.instance("narrow").Late, 1, "the restart has not made it forget, and its own last answer may have been late")
	require.EqualValues(t, 3, m.value("ixt_instance_restarts_total", "module=work", "cause=exit"))
	require.EqualValues(t, 1, m.value("ixt_instance_restarts_total", "module=narrow", "cause=asked"))
	require.EqualValues(t, 1, m.value("ixt_instance_state", "module=echo", "state=ready"))
	require.EqualValues(t, 0, m.value("ixt_instance_state", "module=echo", "state=failed"))
	require.EqualValues(t, 1, m.value("ixt_topic_instances", "topic=echo.say"))
	require.EqualValues(t, f.Journal().Counts()[supervisor.KindCall], m.value("ixt_journal_entries_total", "kind=call"))
	require.Positive(t, m.value("process_resident_memory_bytes"))

	tries := map[string][3]uint64{ // calls, waits and deliveries
		"echo.say": {3, 3, 3}, "echo.fail": {1, 1, 1}, "work.crash": {1, 3, 3}, "narrow.gate": {1, 1, 1}, "narrow.say": {1, 0, 0},
	}
	for topic, want := range tries {
		got := [3]uint64{m.observed("ixt_call_duration_seconds", topic), m.observed("ixt_call_queue_seconds", topic), m.observed("ixt_call_handling_seconds", topic)}
		require.Equal(t, want, got, topic)
		require.Equal(t, want[0], m.calls(topic), topic)
	}
	h := m.find("ixt_call_duration_seconds", "topic=narrow.gate").GetHistogram()
	require.GreaterOrEqual(t, h.GetSampleSum(), 0.1)
	for _, b := range h.GetBucket() {
		if b.GetUpperBound() < 0.1 {
			require.Zero(t, b.GetCumulativeCount())
		}
	}
}

func TestMetricsTellWhoWasKilledAndGivenUp(t *testing.T) {
	f := newFleet(t)
	f.add("ill", "sick", []string{"ill.say"}, "[health]\ninterval = \"10ms\"\nfailures = 1\n[restart]\ngive_up = 1\n")
	f.start()
	_, err := f.say("ill.say", "")
	require.NoError(t, err)
	f.awaitState("ill", supervisor.Failed)
	m := f.scrape(nil)
	require.EqualValues(t, 1, m.value("ixt_instance_watchdog_kills_total", "module=ill"))
	require.EqualValues(t, 1, m.value("ixt_instance_gave_up_total", "module=ill"))
	require.NoError(t, f.Restart(f.ctx, "ill"))
	require.NoError(t, f.Stop(f.ctx, "ill"))
	m = f.scrape(nil)
	require.EqualValues(t, 1, m.value("ixt_instance_restarts_total", "module=ill", "cause=health"), "a stop by command forgets nothing")
}

// otlpCollector takes spans as an OpenTelemetry collector does.
type otlpCollector struct {
	*httptest.Server
	mu    sync.Mutex
	spans map[string][]*tracing.Span // by name
}

func newCollector(t *testing.T) *otlpCollector {
	c := &otlpCollector{spans: map[string][]*tracing.Span{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *otlpCollector) take(r *http.Request) error {
	if r.URL.Path != "/v1/traces" {
		return fmt.Errorf("no %s here", r.URL.Path)
	}
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(from)
		if err != nil {
			return err
		}
		from = unzipped
	}
	body, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	var req collecting.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range req.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans[s.Name] = append(c.spans[s.Name], s)
			}
		}
	}
	return nil
}

// one is the only span of a name.
func (c *otlpCollector) one(t *testing.T, name string) *tracing.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Len(t, c.spans[name], 1, "spans there are: %v", slices.Sorted(maps.Keys(c.spans)))
	return c.spans[name][0]
}

func attribute(s *tracing.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return cmp.Or(a.Value.GetStringValue(), fmt.Sprint(a.Value.GetIntValue()))
		}
	}
	return ""
}

func TestNestedCallIsOneTrace(t *testing.T) {
	c := newCollector(t)
	tracer, err := trace.Open(&trace.Options{Endpoint: c.URL, Version: "v9.9.9", Report: func(text string) { t.Error(text) }})
	require.NoError(t, err)
	t.Cleanup(tracer.Close)
	f := newFleet(t)
	f.opts.Spans = tracer.Spans()
	f.add("front", "polite", []string{"front.forward"}, "[requires]\nservices = [\"back.say\", \"back.fail\"]\n")
	f.add("back", "polite", []string{"back.say", "back.fail"}, "")
	f.start()
	const id = "0af7651916cd43dd8448eb211c80319c"
	_, err = f.Call(f.ctx, supervisor.Message{Topic: "front.forward", Payload: []byte("back.say hello"), TraceID: id})
	require.NoError(t, err)
	_, err = f.Call(f.ctx, supervisor.Message{Topic: "back.fail", TraceID: "order 66"})
	require.Error(t, err)
	require.NoError(t, f.Restart(f.ctx, "back"))
	f.halt()
	tracer.Close()

	root, outer, inner, deepest := c.one(t, "call front.forward"), c.one(t, "handle front.forward"), c.one(t, "call back.say"), c.one(t, "handle back.say")
	require.Empty(t, root.ParentSpanId)
	require.Equal(t, root.SpanId, outer.ParentSpanId)
	require.Equal(t, root.SpanId, c.one(t, "queue front.forward").ParentSpanId)
	require.Equal(t, outer.SpanId, inner.ParentSpanId)
	require.Equal(t, inner.SpanId, deepest.ParentSpanId)
	ids := map[string]bool{}
	for _, s := range []*tracing.Span{root, outer, inner, deepest} {
		require.Equal(t, id, hex.EncodeToString(s.TraceId))
		require.LessOrEqual(t, s.StartTimeUnixNano, s.EndTimeUnixNano)
		ids[string(s.SpanId)] = true
	}
	require.Len(t, ids, 4)
	require.Equal(t, "back", attribute(deepest, "ixt.module"))
	require.Equal(t, "1", attribute(deepest, "ixt.instance"))
	require.Equal(t, "front:1.0.0", attribute(inner, "ixt.source"))
	failed := c.one(t, "call back.fail")
	require.Len(t, failed.TraceId, 16)
	require.Equal(t, "order 66", attribute(failed, "ixt.trace_id"))
	require.Equal(t, tracing.Status_STATUS_CODE_ERROR, failed.Status.GetCode())
	require.Equal(t, "done", attribute(failed, "ixt.outcome"))
	m := f.scrape(tracer)
	require.EqualValues(t, 9, m.value("ixt_trace_spans_total", "result=exported"))
	require.Zero(t, m.value("ixt_trace_spans_total", "result=dropped"))
}

// requireDocumented compares what is measured with the table in docs/observability.md.
func requireDocumented(t *testing.T, m families) {
	text, err := os.ReadFile("../docs/observability.md")
	require.NoError(t, err)
	var documented, measured []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `ixt_") {
			documented = append(documented, strings.TrimSpace(line))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !strings.HasPrefix(name, "ixt_") {
			continue
		}
		var labels []string
		for _, l := range m[name].GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		slices.Sort(labels)
		measured = append(measured, fmt.Sprintf("| `%s` | %s | %s | %s |", name, strings.ToLower(m[name].GetType().String()), strings.Join(labels, ", "), m[name].GetHelp()))
	}
	require.Equal(t, measured, documented, "the table should be\n%s", strings.Join(measured, "\n"))
}
