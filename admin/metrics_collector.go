package admin

import (
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// metric describes one; docs/observability.md has them all.
func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ixt_"+name, help, labels, nil)
}

var (
	callsTotal = metric("calls_total", "Calls that have ended, by outcome and code. code is empty if the module answered with a result; "+
		"with outcome done it is the module's own. topic is empty for calls that were refused before they had one.", "topic", "outcome", "code")
	callSeconds     = metric("call_duration_seconds", "From when the supervisor took a call on until its answer had come, or it had failed.", "topic")
	queueSeconds    = metric("call_queue_seconds", "Wait of a call for an instance that has room, for each attempt that was not refused at once.", "topic")
	handlingSeconds = metric("call_handling_seconds", "From when an instance had room for a call to its answer, for each attempt.", "topic")
	callsQueued     = metric("calls_queued", "Calls that wait for an instance.", "topic")
	callsInFlight   = metric("calls_in_flight", "Calls that modules have.", "topic")
	callsRejected   = metric("calls_rejected_total", "Calls that were refused with BUSY because the topic's queue was full.", "topic")
	callRetries     = metric("call_retries_total", "Calls that were sent again, to another instance.", "topic")
	lateAnswers     = metric("call_late_answers_total", "Answers that came when nobody waited any more.", "topic")
	remoteTotal     = metric("remote_calls_total", "Calls that went to other supervisors and have ended, by outcome and code.", "outcome", "code")
	remoteSeconds   = metric("remote_call_duration_seconds", "From when the supervisor took a call on that went to another one to its end.")
	topicInstances  = metric("topic_instances", "Instances that take calls.", "topic")

	moduleInfo       = metric("module_info", "A module that is configured; always 1.", "module", "version", "protocol")
	instanceState    = metric("instance_state", "1 for the state in which an instance is, 0 for the others.", "module", "instance", "state")
	instanceReady    = metric("instance_ready_time_seconds", "When the current process became ready, Unix time; absent if it is not.", "module", "instance")
	instanceInFlight = metric("instance_calls_in_flight", "Calls that an instance has.", "module", "instance")
	instanceSlots    = metric("instance_concurrency", "Calls that an instance takes at once; absent if it is not ready.", "module", "instance")
	instanceRestarts = metric("instance_restarts_total", "Restarts by the cause of the end before, as restart.on names it; "+
		"exit whatever the code, asked by command or with another module.", "module", "instance", "cause")
	watchdogKills = metric("instance_watchdog_kills_total", "Processes that were ended because they were found sick or hung.", "module", "instance")
	gaveUp        = metric("instance_gave_up_total", "Failures after which an instance was left in state failed.", "module", "instance")

	journalEntries = metric("journal_entries_total", "Entries of the journal.", "kind")
	startTime      = metric("start_time_seconds", "When the supervisor began, Unix time.")
	buildInfo      = metric("build_info", "What runs; always 1.", "version", "goversion", "protocol")
)

// collector measures a supervisor each time it is asked.
type collector struct {
	sup  *supervisor.Supervisor
	info Info
}

// Describe sends every metric there is.
func (collector) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		callsTotal, callSeconds, queueSeconds, handlingSeconds, callsQueued, callsInFlight, callsRejected, callRetries, lateAnswers,
		remoteTotal, remoteSeconds, topicInstances, moduleInfo, instanceState, instanceReady, instanceInFlight, instanceSlots, instanceRestarts, watchdogKills,
		gaveUp, journalEntries, startTime, buildInfo,
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

func (s sink) histogram(d *prometheus.Desc, h *supervisor.Histogram, labels ...string) {
	buckets, n := make(map[float64]uint64, len(supervisor.Bounds)), uint64(0)
	for i, bound := range supervisor.Bounds {
		n += h.Counts[i]
		buckets[bound.Seconds()] = n
	}
	s <- prometheus.MustNewConstHistogram(d, h.Count(), h.Sum.Seconds(), buckets, labels...)
}

// Collect measures.
func (c collector) Collect(to chan<- prometheus.Metric) {
	s := sink(to)
	for _, topic := range c.sup.Topics() {
		s.topic(&topic)
	}
	s.failures("", c.sup.Refused())
	remote := c.sup.RemoteCalls()
	s.counter(remoteTotal, remote.Done, string(ipc.Done), "")
	for _, f := range remote.Failures {
		s.counter(remoteTotal, f.Calls, string(f.Outcome), f.Code)
	}
	s.histogram(remoteSeconds, &remote.Duration)
	for _, m := range c.sup.Modules() {
		s.gauge(moduleInfo, 1, m.Name, m.Version, m.Protocol)
		for _, in := range m.Instances {
			s.instance(m.Name, &in)
		}
	}
	for kind, n := range c.sup.Journal().Counts() {
		s.counter(journalEntries, n, string(kind))
	}
	s.gauge(startTime, unix(c.info.Started))
	s.gauge(buildInfo, 1, c.info.Version, runtime.Version(), strconv.Itoa(c.info.Protocol))
}

func (s sink) topic(t *supervisor.TopicStatus) {
	s.counter(callsTotal, t.Done, t.Topic, string(ipc.Done), "")
	s.failures(t.Topic, t.Failures)
	s.histogram(callSeconds, &t.Duration, t.Topic)
	s.histogram(queueSeconds, &t.Queue, t.Topic)
	s.histogram(handlingSeconds, &t.Handling, t.Topic)
	s.gauge(callsQueued, float64(t.Queued), t.Topic)
	s.gauge(callsInFlight, float64(t.InFlight), t.Topic)
	s.counter(callsRejected, t.Rejected, t.Topic)
	s.counter(callRetries, t.Retried, t.Topic)
	s.counter(lateAnswers, t.Late, t.Topic)
	s.gauge(topicInstances, float64(t.Ready), t.Topic)
}

func (s sink) failures(topic string, failures []supervisor.Failures) {
	for _, f := range failures {
		s.counter(callsTotal, f.Calls, topic, string(f.Outcome), f.Code)
	}
}

func (s sink) instance(module string, in *supervisor.InstanceStatus) {
	number := strconv.Itoa(in.Instance)
	for _, state := range supervisor.States() {
		v := 0.0
		if state == in.State {
			v = 1
		}
		s.gauge(instanceState, v, module, number, string(state))
	}
	s.gauge(instanceInFlight, float64(in.InFlight), module, number)
	if in.ReadyAt != nil {
		s.gauge(instanceReady, unix(*in.ReadyAt), module, number)
		s.gauge(instanceSlots, float64(in.Concurrency), module, number)
	}
	for cause, n := range in.History.Restarts {
		s.counter(instanceRestarts, n, module, number, cause)
	}
	s.counter(watchdogKills, in.History.WatchdogKills, module, number)
	s.counter(gaveUp, in.History.GaveUp, module, number)
}

func unix(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
