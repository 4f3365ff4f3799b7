package host_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/ipc"
)

// measured is the answer to GET /metrics: the value of each series that is a host's.
type measured map[string]float64

var ours = []string{"ixt_service_", "ixt_events_", "ixt_blob_", "ixt_engine_", "ixt_cluster_"}

func (r *rig) measure() measured {
	server := admin.NewServer(r.Supervisor, admin.Info{})
	require.NoError(r.t, server.Metrics(r.host))
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequestWithContext(r.ctx, http.MethodGet, "/metrics", nil))
	require.Equal(r.t, http.StatusOK, w.Code, w.Body)
	out := measured{}
	for line := range strings.Lines(w.Body.String()) {
		series, value, is := strings.Cut(strings.TrimSpace(line), "} ")
		if is && slices.ContainsFunc(ours, func(prefix string) bool { return strings.HasPrefix(series, prefix) }) {
			n, err := strconv.ParseFloat(value, 64)
			require.NoError(r.t, err, line)
			out[series+"}"] = n
		}
	}
	return out
}

// measures waits until the series have these values, which come with events that nobody waits for.
func (r *rig) measures(want measured) {
	got := measured{}
	require.Eventually(r.t, func() bool {
		m := r.measure()
		for series := range want {
			if n, there := m[series]; there {
				got[series] = n
			}
		}
		return maps.Equal(want, got)
	}, patience, 10*time.Millisecond, "it should be %v", want)
}

func TestMetricsOfEvents(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("plc", publishes)
		r.add("report", subscribes)
		r.add("slow", subscribes)
		r.start()
		event := func(name, module, more string) string {
			return fmt.Sprintf(`ixt_events_%s{module=%q,pattern="plc.>"%s}`, name, module, more)
		}
		handled, failed := `,result="handled"`, `,result="failed"`

		r.subscribe("slow", ipc.Subscription{Pattern: "plc.a", Buffer: 2})
		r.mode("slow", "hold")
		r.publish("plc", "plc.a", "1")
		require.Equal(t, "1", r.next("slow").Text)
		r.publish("plc", "plc.a", "2", "3", "4", "5")
		r.measures(measured{event("waiting", "slow", ""): 2, event("dropped_total", "slow", `,reason="slow"`): 2, event("delivered_total", "slow", handled): 0})
		r.mode("slow", "")
		r.measures(measured{event("waiting", "slow", ""): 0, event("delivered_total", "slow", handled): 3, event("delivered_total", "slow", failed): 0})

		r.subscribe("report", ipc.Subscription{Pattern: "plc.n", Durable: "stock"})
		r.mode("report", "hold")
		r.publish("plc", "plc.n", "1", "2", "3")
		r.measures(measured{event("waiting", "report", ""): 3})
		r.mode("report", "")
		r.measures(measured{event("waiting", "report", ""): 0, event("delivered_total", "report", handled): 3})

		r.mode("report", "fail sour")
		r.subscribe("report", ipc.Subscription{Pattern: "plc.b"})
		r.publish("plc", "plc.b", "sour")
		r.measures(measured{
			event("delivered_total", "report", failed): 1, event("dropped_total", "report", `,reason="given_up"`): 0,
			`ixt_events_published_total{module="plc"}`: 9,
		})

		before := len(r.measure())
		for n := range 20 {
			r.subscribe("report", ipc.Subscription{Pattern: fmt.Sprintf("plc.x%d", n)})
			r.publish("plc", fmt.Sprintf("plc.x%d", n), "1")
		}
		require.Len(t, r.measure(), before, "what modules choose makes no series")

		status := r.host.Subscriptions(r.ctx, "slow")
		require.Len(t, status, 1)
		require.EqualValues(t, 0, *status[0].Waiting)
		status[0].Waiting = nil
		require.Equal(t, "{1 plc.a  false 3 0 2 <nil>}", fmt.Sprint(status[0]))
		require.Len(t, r.host.Subscriptions(r.ctx, "report"), 22)
		require.NoError(t, r.Stop(r.ctx, "slow"))
		require.Empty(t, r.host.Subscriptions(r.ctx, "slow"))
		r.measures(measured{event("delivered_total", "slow", handled): 3})
	})
}

func TestMetricsOfServicesAndEngine(t *testing.T) {
	r := newRig(t)
	r.add("keeper", "")
	r.start()
	require.EqualValues(t, 1, r.measure()[`ixt_engine_up{engine="embedded"}`], "it would be opened")
	ask := func(service, method string, params any) { _, _ = r.ask("keeper", service, method, params) }
	ask(ipc.ServiceKV, ipc.MethodSet, ipc.KVParams{Key: "a", Payload: ipc.EncodePayload([]byte("1"))})
	ask(ipc.ServiceKV, ipc.MethodGet, ipc.KVParams{Key: "a"})
	ask(ipc.ServiceKV, ipc.MethodGet, ipc.KVParams{Key: "b"})
	ask(ipc.ServiceKV, ipc.MethodGet, ipc.KVParams{Key: "c"})
	ask(ipc.ServiceKV, "dream", ipc.KVParams{Key: "a"})
	ask(ipc.ServiceKV, "sleep", ipc.KVParams{Key: "a"})
	ask(ipc.ServiceKV, ipc.MethodGet, ipc.KVParams{Bucket: "others", Key: "a"})
	ask(ipc.ServiceBlob, ipc.MethodPut, ipc.BlobParams{Name: "b", Payload: ipc.EncodePayload(make([]byte, 1000)), Last: true})
	for range 3 {
		ask(ipc.ServiceBlob, ipc.MethodGet, ipc.BlobParams{Name: "b"})
	}
	asked := func(service, method, outcome, code string) string {
		return fmt.Sprintf("ixt_service_requests_total{code=%q,method=%q,outcome=%q,service=%q}", code, method, outcome, service)
	}
	m := r.measure()
	for series, n := range map[string]float64{
		asked("kv", "set", "done", ""):                        1,
		asked("kv", "get", "done", ""):                        1,
		asked("kv", "get", "not_delivered", "NOT_FOUND"):      2,
		asked("kv", "get", "not_delivered", "DENIED"):         1,
		asked("kv", "other", "not_delivered", "UNKNOWN_TYPE"): 2,
		asked("blob", "put", "done", ""):                      1,
		asked("blob", "get", "done", ""):                      3,
		`ixt_blob_bytes_total{direction="in"}`:                1000,
		`ixt_blob_bytes_total{direction="out"}`:               3000,
		`ixt_engine_up{engine="embedded"}`:                    1,
		`ixt_cluster_nodes{state="present"}`:                  1,
	} {
		require.Contains(t, m, series)
		require.InDelta(t, n, m[series], 0, series)
	}
	for _, bucket := range []string{ipc.ServiceKV, ipc.ServiceBlob} {
		names, err := r.Buckets(r.ctx, bucket)
		require.NoError(t, err)
		require.Equal(t, []string{"keeper"}, names)
	}
}

func TestMetricsWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := newRig(t)
	r.options.URL = s.url()
	r.add("report", subscribes)
	r.start()
	r.subscribe("report", ipc.Subscription{Pattern: "plc.n", Durable: "stock"})
	up, waiting := `ixt_engine_up{engine="server"}`, `ixt_events_waiting{module="report",pattern="plc.>"}`
	r.measures(measured{up: 1, waiting: 0})
	s.stop()
	r.measures(measured{up: 0})
	require.NotContains(t, r.measure(), waiting, "nobody knows")
	_, err := r.Buckets(r.ctx, ipc.ServiceKV)
	requireCode(t, err, ipc.CodeUnavailable)
	s.start()
	r.measures(measured{up: 1, waiting: 0})
}
