package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ixtrun/ixt/supervisor"
)

// scrapes is how many requests for metrics are answered at once; more are refused with 503.
const scrapes = 4

// Metrics adds what others measure to what GET /metrics answers. Call it before Serve. An error means that a metric of that name
// is there already.
func (s *Server) Metrics(more ...prometheus.Collector) error {
	for _, c := range more {
		if err := s.registry.Register(c); err != nil {
			return fmt.Errorf("admin: %w", err)
		}
	}
	return nil
}

// newRegistry has the metrics of the supervisor, and those that every Go program has.
func newRegistry(sup *supervisor.Supervisor, info Info) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{sup, info}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

func (s *Server) metrics() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapes})
}

// ListenMetrics opens the TCP address, host:port, at which Prometheus may ask; "" is none, and then the listener is nil.
func ListenMetrics(ctx context.Context, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("admin: metrics at %s: %w; write a free host:port under [admin] metrics in supervisor.toml", address, err)
	}
	return l, nil
}

// ServeMetrics answers GET /metrics, and nothing else, until ctx ends, closes l, and returns when no request is left.
func (s *Server) ServeMetrics(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics())
	return serve(ctx, l, mux)
}
