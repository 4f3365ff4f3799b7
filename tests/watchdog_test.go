package tests

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/crash"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// alert is a watchdog that bites soon.
const alert = "[health]\ninterval = \"20ms\"\ntimeout = \"100ms\"\nfailures = 2\noverdue = \"100ms\"\n[restart]\nfirst = \"1h\"\nmax = \"1h\"\n[stop]\nterm = \"100ms\"\n"

func TestHungModuleTellsWhereItHangs(t *testing.T) {
	python := func(f *fleet) {
		f.write("hung", fmt.Sprintf(`schema_version = "3.0"
[module]
name = "hung"
version = "1.0.0"
[artifacts.process]
interpreter = "python3"
entry = "hung.py"
[provides]
services = ["hung.gate"]
%s`, alert))
		sdk, err := filepath.Abs("../sdk/python")
		require.NoError(f.t, err)
		writeFile(f.t, filepath.Join(f.dir, "hung", "hung.py"), fmt.Sprintf(`
import sys
sys.path.insert(0, %q)
from ixt_process_module import IxtProcessModule
import socket, base64
class Hung(IxtProcessModule):
    def on_init(self, config): pass
    def on_handle(self, message, context):
        gate = socket.socket(socket.AF_UNIX)
        gate.connect(base64.b64decode(message["payload"]).decode())
        gate.recv(1)
Hung().run()
`, sdk))
	}
	tests := map[string]struct {
		add  func(*fleet)
		dump string // what is in it
	}{
		"in Go":     {func(f *fleet) { f.add("hung", "polite", []string{"hung.gate"}, alert) }, "standAt"},
		"in Python": {python, "in on_handle"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath("python3"); err != nil && name == "in Python" {
				t.Skip("not run: there is no python3 in PATH")
			}
			f := newFleet(t)
			tt.add(f)
			f.start()
			f.awaitState("hung", supervisor.Ready)
			g := newGate(t)
			_, err := f.Call(f.ctx, supervisor.Message{Topic: "hung.gate", Payload: []byte(g.path), TTL: 100 * time.Millisecond})
			requireCode(t, err, ipc.CodeTimeout, ipc.Unknown)
			g.arrival().gone() // with the process
			report := f.crash("hung")
			require.Equal(t, crash.KindHealth, report.Cause.Kind, report.Why)
			require.Contains(t, report.Why, "past its deadline and not answered")
			require.Contains(t, report.Dump, tt.dump)
			require.Empty(t, report.Panic)
			require.Len(t, report.Calls, 1)
			require.Equal(t, "hung.gate", report.Calls[0].Topic)
			require.EqualValues(t, len(g.path), report.Calls[0].PayloadBytes)
		})
	}
}

func TestStoppedModuleIsReplaced(t *testing.T) {
	f := newFleet(t)
	f.add("ice", "polite", []string{"ice.say"}, alert)
	f.start()
	f.awaitState("ice", supervisor.Ready)
	require.NoError(t, syscall.Kill(f.pids()[0], syscall.SIGSTOP))
	report := f.crash("ice")
	require.Equal(t, crash.KindHealth, report.Cause.Kind)
	require.Equal(t, "SIGTERM", report.Cause.Signal, "it was continued to hear that")
	require.Contains(t, report.Why, "health check failed: TIMEOUT")
}

func TestModuleThatDoesNotReadIsReplaced(t *testing.T) {
	f := newFleet(t)
	f.add("deaf", "deaf", []string{"deaf.say"}, alert+"[services.\"deaf.say\"]\ntimeout = \"1h\"\n")
	f.start()
	f.awaitState("deaf", supervisor.Ready)
	calls := []<-chan error{f.later("deaf.say", string(make([]byte, 1<<20))), f.later("deaf.say", string(make([]byte, 1<<20)))}
	report := f.crash("deaf")
	require.Equal(t, crash.KindHealth, report.Cause.Kind)
	require.Contains(t, report.Why, "it has not read its connection for", "its calls are within their deadlines")
	f.halt()
	for _, call := range calls {
		require.Error(t, <-call)
	}
}

// crash waits for the first report about a module.
func (f *fleet) crash(module string) *crash.Report {
	f.await("a crash report of "+module, func(e supervisor.Entry) bool { return e.Kind == supervisor.KindCrash && e.Module == module })
	report, err := f.Crashes().Get(module)
	require.NoError(f.t, err)
	return report
}
