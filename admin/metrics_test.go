package admin_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/admin"
)

func TestScrapersGetMetricsAndNothingElse(t *testing.T) {
	s := serveParrot(t)
	l, err := admin.ListenMetrics(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	ctx, end := context.WithCancel(t.Context())
	served := make(chan error, 1)
	server := admin.NewServer(s.sup, testInfo)
	count := prometheus.NewCounter(prometheus.CounterOpts{Name: "others_total"})
	require.NoError(t, server.Metrics(count))
	require.ErrorContains(t, server.Metrics(count), "admin: duplicate")
	go func() { served <- server.ServeMetrics(ctx, l) }()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, path string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr().String()+path, nil)
		require.NoError(t, err)
		response, err := client.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}
	status, body := ask(http.MethodGet, "/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `ixt_calls_total{code="",outcome="done",topic="parrot.say"} 1`)
	require.Contains(t, body, `ixt_module_info{module="parrot",protocol="ixt",version="1.2.3"} 1`)
	require.Contains(t, body, "others_total 0")
	for path, method := range map[string]string{"/": http.MethodGet, "/v1/modules": http.MethodGet, "/v1/modules/parrot/stop": http.MethodPost} {
		status, _ := ask(method, path)
		require.Equal(t, http.StatusNotFound, status, path)
	}
	status, _ = ask(http.MethodPost, "/metrics")
	require.Equal(t, http.StatusMethodNotAllowed, status)
	end()
	require.NoError(t, <-served)
}

func TestMetricsAreAtTheSocketToo(t *testing.T) {
	s := serveParrot(t)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.socket)
	}}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://ixt/metrics", nil)
	require.NoError(t, err)
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `ixt_build_info{goversion="go`)
}

func TestAddressForMetrics(t *testing.T) {
	none, err := admin.ListenMetrics(t.Context(), "")
	require.NoError(t, err)
	require.Nil(t, none)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for _, address := range []string{taken.Addr().String(), "9464", "127.0.0.1:many"} {
		_, err = admin.ListenMetrics(t.Context(), address)
		require.ErrorContains(t, err, "[admin] metrics in supervisor.toml", address)
	}
}
