package trace_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/supervisor"
	"github.com/ixtrun/ixt/trace"
)

// span is any span that a collector takes.
func span() supervisor.Span {
	now := time.Now()
	return supervisor.Span{Name: supervisor.SpanCall, TraceID: [16]byte{1}, ID: [8]byte{1}, Start: now, End: now, Topic: "echo.say"}
}

// clean lets no variable of the machine in.
func clean(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		t.Setenv(name, "")
	}
}

func requireSpans(t *testing.T, e *trace.Exporter, exported, dropped, failed string) {
	t.Helper()
	require.NoError(t, testutil.CollectAndCompare(e, strings.NewReader(`
# HELP ixt_trace_spans_total Spans by what became of them: exported, dropped because too many waited, or failed because the collector did not take them.
# TYPE ixt_trace_spans_total counter
ixt_trace_spans_total{result="dropped"} `+dropped+`
ixt_trace_spans_total{result="exported"} `+exported+`
ixt_trace_spans_total{result="failed"} `+failed+`
`)))
}

func TestOffUnlessACollectorIsNamed(t *testing.T) {
	clean(t)
	e, err := trace.Open(&trace.Options{})
	require.NoError(t, err)
	require.Nil(t, e)
	require.Nil(t, e.Spans())
	require.Zero(t, testutil.CollectAndCount(e))
	require.NoError(t, prometheus.NewRegistry().Register(e))
	e.Close()
}

func TestEnvironmentNamesTheCollector(t *testing.T) {
	clean(t)
	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL+"/base")
	e, err := trace.Open(&trace.Options{})
	require.NoError(t, err)
	e.Spans()(span())
	e.Close()
	require.Equal(t, "/base/v1/traces", <-asked)
	requireSpans(t, e, "1", "0", "0")
}

func TestBadEndpoints(t *testing.T) {
	clean(t)
	for _, endpoint := range []string{"127.0.0.1:4318", "grpc://box:4317", "http://", "http://%zz"} {
		_, err := trace.Open(&trace.Options{Endpoint: endpoint})
		require.ErrorContains(t, err, "write one such as http://127.0.0.1:4318", endpoint)
	}
}

// TestDeadCollectorHoldsNobodyUp finds nobody at the endpoint.
func TestDeadCollectorHoldsNobodyUp(t *testing.T) {
	clean(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	var said []string
	e, err := trace.Open(&trace.Options{Endpoint: "http://" + l.Addr().String(), Report: func(text string) { said = append(said, text) }})
	require.NoError(t, err)
	for range 1000 {
		e.Spans()(span())
	}
	e.Close()
	e.Close()
	requireSpans(t, e, "0", "0", "1000")
	require.Len(t, said, 1, "it is said once")
	require.Contains(t, said[0], "check [trace] endpoint")
}

// TestStuckCollectorCostsSpansOnly keeps the collector from answering until Close has given up.
func TestStuckCollectorCostsSpansOnly(t *testing.T) {
	clean(t)
	arrived, closed := make(chan struct{}, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-closed
	}))
	defer server.Close()
	defer close(closed)
	e, err := trace.Open(&trace.Options{Endpoint: server.URL})
	require.NoError(t, err)
	for range 512 {
		e.Spans()(span())
	}
	<-arrived // the first batch is out, and nothing is taken from the queue meanwhile
	for range 8192 + 5 {
		e.Spans()(span())
	}
	e.Close()
	requireSpans(t, e, "0", "5", "8704")
}
