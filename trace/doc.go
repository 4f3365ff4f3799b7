// Package trace sends the spans of calls to an OpenTelemetry collector, by OTLP over HTTP.
//
//	tracer, err := trace.Open(&trace.Options{Endpoint: "http://127.0.0.1:4318"})
//	sup, err := supervisor.New(&supervisor.Options{Spans: tracer.Spans(), ...})
//	...
//	tracer.Close() // after Run has returned
//
// What a span has is in [supervisor.Span]; docs/observability.md says how that looks in a trace.
//
// # Failures
//
// Tracing never holds a call up. A queue of bounded length takes the spans; what comes while it is full is dropped and counted, as is
// what the collector does not take. An [Exporter] is a prometheus.Collector, which tells how many.
//
// # Concurrency
//
// An Exporter is safe for concurrent use. A nil *Exporter is one that is switched off.
package trace
