package host

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ixtrun/ixt/ipc"
)

// metric describes one; docs/observability.md has them all.
func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ixt_"+name, help, labels, nil)
}

var (
	requestsTotal = metric("service_requests_total", "Requests to the services events, kv and blob, by method, outcome and code. code is empty if the "+
		"service answered with a result.", "service", "method", "outcome", "code")
	publishedTotal = metric("events_published_total", "Events that the engine has taken, by who published them; host is whoever is no module.", "module")
	deliveredTotal = metric("events_delivered_total", "Events that were handed to a subscriber, by what its handler made of them: handled or failed; "+
		"a durable one's count at every attempt.", "module", "pattern", "result")
	droppedTotal = metric("events_dropped_total", "Events that a subscriber does not get: it was slow and its buffer full, or it was given_up "+
		"after the last attempt.", "module", "pattern", "reason")
	waitingEvents = metric("events_waiting", "Events that wait for a subscriber: in its buffer, or stored for a durable subscription.", "module", "pattern")
	blobBytes     = metric("blob_bytes_total", "Bytes of blobs that came in, or went out.", "direction")
	engineUp      = metric("engine_up", "1 if events, kv and blob can be used, 0 if the engine is out of reach; embedded is in this process, "+
		"server a NATS server elsewhere.", "engine")
	clusterNodes = metric("cluster_nodes", "Supervisors on the NATS server, this one among them: present, gone without a word, or stopped in order "+
		"within the last hour.", "state")
)

// backlogTime is how long a scrape waits for what the engine says of durable subscriptions.
const backlogTime = 2 * time.Second

// Describe makes a Host a prometheus.Collector.
func (*Host) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		requestsTotal, publishedTotal, deliveredTotal, droppedTotal, waitingEvents, blobBytes, engineUp, clusterNodes,
	} {
		c <- d
	}
}

// sink takes measurements.
type sink chan<- prometheus.Metric

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sink) counter(d *prometheus.Desc, n uint64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

// Collect makes a Host a prometheus.Collector. It opens nothing: what only an engine in use can say is left out until it is. It may
// be called at any time.
func (h *Host) Collect(to chan<- prometheus.Metric) {
	s := sink(to)
	for r, n := range h.requests.counts() {
		s.counter(requestsTotal, n, r.service, r.method, string(r.outcome), r.code)
	}
	for module, n := range h.requests.published() {
		s.counter(publishedTotal, n, module)
	}
	for who, r := range h.events.audience.all() {
		s.counter(deliveredTotal, r.handled.Load(), who.module, who.pattern, "handled")
		s.counter(deliveredTotal, r.failed.Load(), who.module, who.pattern, "failed")
		s.counter(droppedTotal, r.dropped.Load(), who.module, who.pattern, "slow")
		s.counter(droppedTotal, r.givenUp.Load(), who.module, who.pattern, "given_up")
	}
	ctx, cancel := context.WithTimeout(h.events.life, backlogTime)
	defer cancel()
	for who, n := range h.events.waiting(ctx) {
		s.gauge(waitingEvents, float64(n), who.module, who.pattern)
	}
	s.counter(blobBytes, h.blob.in.Load(), "in")
	s.counter(blobBytes, h.blob.out.Load(), "out")
	s.engine(h.engine)
	s.nodes(h.cluster)
}

func (s sink) engine(e *engine) {
	kind, up := "embedded", 0.0
	if e.opts.URL != "" {
		kind = "server"
	}
	if e.usable() {
		up = 1
	}
	s.gauge(engineUp, up, kind)
}

func (s sink) nodes(c *cluster) {
	count := map[string]int{"present": 0, NodeGone: 0, NodeStopped: 0}
	for _, n := range c.nodes() {
		if n.Gone == "" {
			n.Gone = "present"
		}
		count[n.Gone]++
	}
	for state, n := range count {
		s.gauge(clusterNodes, float64(n), state)
	}
}

// usable reports whether whoever needs the engine now gets it. One in this process that nobody has needed yet would be opened.
func (e *engine) usable() bool {
	e.mu.Lock()
	o, closed := e.last, e.closed
	e.mu.Unlock()
	switch {
	case closed:
		return false
	case o == nil:
		return e.opts.URL == ""
	}
	select {
	case <-o.done:
		return o.err == nil && o.conn.IsConnected()
	default:
		return false
	}
}

// methods are those of the services; what else is asked for is one kind of mistake.
var methods = map[string]bool{
	ipc.MethodPublish: true, ipc.MethodSubscribe: true, ipc.MethodUnsubscribe: true,
	ipc.MethodGet: true, ipc.MethodSet: true, ipc.MethodAdd: true, ipc.MethodDelete: true, ipc.MethodExists: true, ipc.MethodKeys: true,
	ipc.MethodWatch: true, ipc.MethodUnwatch: true, ipc.MethodPut: true, ipc.MethodStat: true, ipc.MethodList: true,
}
