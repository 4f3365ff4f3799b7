package host_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
)

// howMany is for whoever wants to know rates; each event that is kept may cost a disk's turn.
var howMany = flag.Int("events", 300, "how many events TestManyEventsArriveInOrder publishes")

// One publisher that waits for every answer, and one subscriber, in processes of their own. The log has the rate.
func TestManyEventsArriveInOrder(t *testing.T) {
	many := *howMany
	for name, p := range map[string]ipc.Subscription{"plain": {Pattern: "plc.n", Buffer: many}, "durable": {Pattern: "plc.n", Durable: "stock"}} {
		for _, sync := range []string{host.SyncAlways, host.SyncInterval} {
			t.Run(name+" "+sync, func(t *testing.T) {
				r := newRig(t)
				r.options.KVSync = sync
				r.add("plc", publishes)
				r.add("report", subscribes)
				r.start()
				r.subscribe("report", p)
				params, err := json.Marshal(ipc.Publication{Topic: "plc.n", Payload: ipc.EncodePayload(make([]byte, 100))})
				require.NoError(t, err)
				body, err := json.Marshal(request{Service: ipc.ServiceEvents, Method: ipc.MethodPublish, Params: params, Times: many})
				require.NoError(t, err)
				began := time.Now()
				data, err := r.call("plc", "do", body)
				require.NoError(t, err)
				require.JSONEq(t, `{"data":{}}`, string(data))
				published := time.Since(began)
				_, err = r.call("report", "reach", []byte(strconv.Itoa(many)))
				require.NoError(t, err)
				t.Logf("%.0f published/s, %.0f handled/s", float64(many)/published.Seconds(), float64(many)/time.Since(began).Seconds())
			})
		}
	}
}

// An idle program with an open engine stays small. What counts is a process of its own, which the tests' is not.
func TestIdleEngineIsSmall(t *testing.T) {
	r := newRig(t)
	r.add("plc", publishes)
	r.start()
	r.publish("plc", "plc.a", "1")
	r.halt()
	silent := &rig{t: t, dir: filepath.Join(filepath.Dir(r.dir), "none"), state: r.state}
	require.NoError(t, os.Mkdir(silent.dir, 0o755))
	process := silent.elsewhere("supervisor " + silent.dir + " " + silent.state)
	require.Equal(t, "up", <-process.said)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process.pid))
	if err != nil {
		t.Skip("this system does not say how large a process is")
	}
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(rss)[0])
	require.NoError(t, err)
	t.Logf("%d kB", kilobytes)
	require.Less(t, kilobytes, 60<<10)
}
