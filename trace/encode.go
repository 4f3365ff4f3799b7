package trace

import (
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracing "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/ixtrun/ixt/supervisor"
)

// encode is spans as OTLP has them.
func encode(spans []supervisor.Span) []*tracing.Span {
	out := make([]*tracing.Span, 0, len(spans))
	for i := range spans {
		out = append(out, encodeSpan(&spans[i]))
	}
	return out
}

// kind says which side of a conversation a span is: callers ask us, and we ask modules.
func kind(name supervisor.SpanName) tracing.Span_SpanKind {
	switch name {
	case supervisor.SpanCall:
		return tracing.Span_SPAN_KIND_SERVER
	case supervisor.SpanHandle:
		return tracing.Span_SPAN_KIND_CLIENT
	}
	return tracing.Span_SPAN_KIND_INTERNAL
}

func encodeSpan(s *supervisor.Span) *tracing.Span {
	out := &tracing.Span{
		TraceId:           s.TraceID[:],
		SpanId:            s.ID[:],
		Name:              string(s.Name) + " " + s.Topic,
		Kind:              kind(s.Name),
		StartTimeUnixNano: uint64(s.Start.UnixNano()),
		EndTimeUnixNano:   uint64(s.Start.Add(s.End.Sub(s.Start)).UnixNano()), // whatever the wall clock did meanwhile
		Attributes: attributes(
			text("ixt.topic", s.Topic), text("ixt.source", s.Source), text("ixt.call_id", s.CallID), text("ixt.trace_id", s.Trace),
			text("ixt.module", s.Module), number("ixt.instance", s.Instance), number("ixt.attempt", s.Attempt),
			text("ixt.outcome", string(s.Outcome)), text("error.type", s.Code),
		),
	}
	if s.Parent != ([8]byte{}) {
		out.ParentSpanId = s.Parent[:]
	}
	if s.Code != "" {
		out.Status = &tracing.Status{Code: tracing.Status_STATUS_CODE_ERROR, Message: s.Code}
	}
	return out
}

func scope(version string) *common.InstrumentationScope {
	return &common.InstrumentationScope{Name: "github.com/ixtrun/ixt", Version: version}
}

// attributes leaves out what is not known.
func attributes(all ...*common.KeyValue) (known []*common.KeyValue) {
	for _, a := range all {
		if a != nil {
			known = append(known, a)
		}
	}
	return known
}

func text(key, value string) *common.KeyValue {
	if value == "" {
		return nil
	}
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

func number(key string, value int) *common.KeyValue {
	if value == 0 {
		return nil
	}
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: int64(value)}}}
}
