package cli

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/trace"
)

// window lets others look into a supervisor, other nodes among them. A nil one is closed.
type window struct {
	host   *host.Host
	tracer *trace.Exporter // nil: nothing is traced
	scrape net.Listener    // nil: metrics are at the admin socket alone
}

// openWindow begins to trace and to listen; say tells when traces get lost.
func openWindow(ctx context.Context, op *manifest.Operator, h *host.Host, say func(string)) (w *window, err error) {
	w = &window{host: h}
	if w.scrape, err = admin.ListenMetrics(ctx, op.Admin.Metrics); err != nil {
		return nil, err
	}
	w.tracer, err = trace.Open(&trace.Options{Endpoint: op.Trace.Endpoint, Version: version(), Report: say})
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// answer serves the admin socket, and scrapers beside it, until ctx ends.
func (w *window) answer(ctx context.Context, server *admin.Server, door net.Listener) error {
	var beside sync.WaitGroup
	var scraped error
	if w != nil {
		server.Join(cluster{w.host})
		w.host.Administer(server)
		if err := server.Metrics(w.tracer, w.host); err != nil {
			return errors.Join(err, door.Close())
		}
		if w.scrape != nil {
			beside.Go(func() { scraped = server.ServeMetrics(ctx, w.scrape) })
		}
	}
	err := server.Serve(ctx, door)
	beside.Wait()
	return errors.Join(err, scraped)
}

// close sends the last spans. It comes after the supervisor's end.
func (w *window) close() {
	w.tracer.Close()
	if w.scrape != nil {
		_ = w.scrape.Close() // it is closed already, unless the supervisor never came up
	}
}
