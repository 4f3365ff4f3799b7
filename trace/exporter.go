package trace

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	tracing "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/ixtrun/ixt/supervisor"
)

// The variables that name a collector where Options do not. The client reads them too, and others of their kind, such as
// OTEL_EXPORTER_OTLP_HEADERS.
const (
	envEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envServiceName    = "OTEL_SERVICE_NAME" // what it calls us; default ixt
)

const (
	pending  = 8192             // spans that may wait
	batch    = 512              // spans that are sent at a time
	delay    = time.Second      // a span waits for more at most so long
	sending  = 10 * time.Second // a batch may take so long, all of its attempts together
	farewell = 3 * time.Second  // Close may take so long
)

// Options configure an Exporter.
type Options struct {
	// Endpoint is the URL of a collector, without the path v1/traces. Default: what OTEL_EXPORTER_OTLP_ENDPOINT or
	// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT says; if that is nothing, nothing is traced.
	Endpoint string
	// Version is that of ixt, as the collector sees it.
	Version string
	// Report is told in a sentence when spans begin not to arrive, and when they arrive again. Default: nobody.
	Report func(string)
}

// Exporter sends spans to a collector. Open makes one, Close ends it.
type Exporter struct {
	opts    Options
	client  uploader
	spans   chan supervisor.Span
	once    sync.Once
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when nothing is sent any more

	patience  context.Context // of what is being sent
	loseHeart context.CancelFunc

	exported, dropped, failed atomic.Uint64
}

// uploader is what is used of the client.
type uploader interface {
	Start(context.Context) error
	Stop(context.Context) error
	UploadTraces(context.Context, []*tracing.ResourceSpans) error
}

// Open begins to send spans; it does not wait for the collector. It returns nil if none is named. An error is one of the
// configuration.
func Open(opts *Options) (*Exporter, error) {
	e := &Exporter{opts: *opts, spans: make(chan supervisor.Span, pending), closing: make(chan struct{}), done: make(chan struct{})}
	var options []otlptracehttp.Option
	for _, from := range []string{opts.Endpoint, os.Getenv(envTracesEndpoint), os.Getenv(envEndpoint)} {
		if from == "" {
			continue
		}
		u, err := url.Parse(from)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("trace: the endpoint %q is no address of a collector; write one such as http://127.0.0.1:4318", from)
		}
		if from == opts.Endpoint {
			options = append(options, otlptracehttp.WithEndpointURL(u.JoinPath("v1/traces").String()))
		}
		e.opts.Endpoint = u.Redacted()
		break
	}
	if e.opts.Endpoint == "" {
		return nil, nil
	}
	e.patience, e.loseHeart = context.WithCancel(context.Background())
	e.client = otlptracehttp.NewClient(options...)
	if err := e.client.Start(context.Background()); err != nil {
		e.loseHeart()
		return nil, fmt.Errorf("trace: %w", err)
	}
	go e.run()
	return e, nil
}

// Spans is what supervisor.Options take; nil if e is.
func (e *Exporter) Spans() func(supervisor.Span) {
	if e == nil {
		return nil
	}
	return e.add
}

func (e *Exporter) add(s supervisor.Span) {
	select {
	case e.spans <- s:
	default:
		e.dropped.Add(1)
	}
}

// Close sends what is still there, as far as it goes within 3 s, and ends. Spans that are handed over later are lost.
func (e *Exporter) Close() {
	if e == nil {
		return
	}
	defer time.AfterFunc(farewell, e.loseHeart).Stop()
	e.once.Do(func() { close(e.closing) })
	<-e.done
}

// run sends batches until Close.
func (e *Exporter) run() {
	defer close(e.done)
	defer e.loseHeart()
	defer func() { _ = e.client.Stop(context.Background()) }() // ends what is being sent, which is nothing
	failing := false
	for {
		spans, last := e.collect()
		if len(spans) > 0 {
			failing = e.send(spans, failing)
		}
		if last {
			return
		}
	}
}

// collect waits for a batch. last means that Close was called and nothing is left.
func (e *Exporter) collect() (spans []supervisor.Span, last bool) {
	select {
	case s := <-e.spans:
		spans = append(spans, s)
	case <-e.closing:
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	closing := e.closing
	for len(spans) < batch {
		if closing == nil { // what is there is all there will be
			select {
			case s := <-e.spans:
				spans = append(spans, s)
				continue
			default:
				return spans, true
			}
		}
		select {
		case s := <-e.spans:
			spans = append(spans, s)
		case <-timer.C:
			return spans, false
		case <-closing:
			closing = nil
		}
	}
	return spans, false
}

// send sends a batch and reports whether that failed, as the one before did or not.
func (e *Exporter) send(spans []supervisor.Span, failing bool) bool {
	ctx, cancel := context.WithTimeout(e.patience, sending)
	defer cancel()
	err := e.client.UploadTraces(ctx, []*tracing.ResourceSpans{{
		Resource: &resource.Resource{Attributes: attributes(
			text("service.name", cmp.Or(os.Getenv(envServiceName), "ixt")), text("service.version", e.opts.Version))},
		ScopeSpans: []*tracing.ScopeSpans{{Scope: scope(e.opts.Version), Spans: encode(spans)}},
	}})
	if err == nil {
		e.exported.Add(uint64(len(spans)))
		if failing {
			e.report("spans reach %s again", e.opts.Endpoint)
		}
		return false
	}
	e.failed.Add(uint64(len(spans)))
	if !failing {
		e.report("spans do not reach %s: %v; check [trace] endpoint, and the collector there", e.opts.Endpoint, err)
	}
	return true
}

func (e *Exporter) report(format string, args ...any) {
	if e.opts.Report != nil {
		e.opts.Report(fmt.Sprintf(format, args...))
	}
}

var spansTotal = prometheus.NewDesc("ixt_trace_spans_total",
	"Spans by what became of them: exported, dropped because too many waited, or failed because the collector did not take them.",
	[]string{"result"}, nil)

// Describe makes e a prometheus.Collector.
func (e *Exporter) Describe(c chan<- *prometheus.Desc) { c <- spansTotal }

// Collect makes e a prometheus.Collector; one that is switched off has no metrics.
func (e *Exporter) Collect(c chan<- prometheus.Metric) {
	if e == nil {
		return
	}
	for result, n := range map[string]*atomic.Uint64{"exported": &e.exported, "dropped": &e.dropped, "failed": &e.failed} {
		c <- prometheus.MustNewConstMetric(spansTotal, prometheus.CounterValue, float64(n.Load()), result)
	}
}
