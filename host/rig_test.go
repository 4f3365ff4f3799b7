package host_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// patience bounds every wait of a test for something that must happen; it is never slept.
const patience = 3 * time.Minute

// rig is a directory of puppets, and the supervisor with an engine that runs them.
type rig struct {
	*supervisor.Supervisor
	t       *testing.T
	dir     string // of the modules
	state   string
	options host.Options
	tap     func(*host.Host) // before it is opened
	host    *host.Host
	ctx     context.Context
	stop    context.CancelFunc
	ran     chan error
}

func newRig(t *testing.T) *rig {
	dir, err := os.MkdirTemp("", "ixt")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &rig{t: t, dir: filepath.Join(dir, "modules"), state: filepath.Join(dir, "state"), ctx: ctx}
}

// add writes the manifest of a puppet. more is further TOML after [provides].
func (r *rig) add(name, more string) { r.addRole(name, "puppet", more) }

func (r *rig) addRole(name, role, more string) {
	exe, err := os.Executable()
	require.NoError(r.t, err)
	topics := fmt.Sprintf(`["%[1]s.do", "%[1]s.next", "%[1]s.count", "%[1]s.reach", "%[1]s.mode"]`, name)
	dir := filepath.Join(r.dir, name)
	require.NoError(r.t, os.MkdirAll(dir, 0o755))
	require.NoError(r.t, os.WriteFile(filepath.Join(dir, "manifest.toml"), fmt.Appendf(nil, `schema_version = "3.0"
[module]
name = %q
version = "1.0.0"
[artifacts.process]
path = %q
args = ["-test.run=^$"]
env = { %s = %q, GOTRACEBACK = "single", GORACE = "atexit_sleep_ms=0" }
[provides]
services = %s
%s`, name, exe, roleVar, role, topics, more), 0o644))
}

// start runs the supervisor until the test ends or halt.
func (r *rig) start() *rig {
	h, err := host.New(&r.options)
	require.NoError(r.t, err)
	r.host = h
	if r.tap != nil {
		r.tap(h)
	}
	r.Supervisor, err = supervisor.New(&supervisor.Options{Dirs: []string{r.dir}, StateDir: r.state, Engine: h})
	require.NoError(r.t, err)
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	ran := make(chan error, 1)
	r.ran = ran
	s := r.Supervisor
	go func() { ran <- s.Run(ctx) }()
	r.t.Cleanup(func() {
		late := r.ctx.Err()
		r.halt()
		require.NoError(r.t, late, "something took longer than the test is patient; journal:\n%s", r.story())
	})
	return r
}

// other is a process of this binary in a role.
type other struct {
	pid  int
	said <-chan string // line by line
	kill func()        // returns when nothing of it is left
}

// elsewhere plays a role in another process, until the test ends at the latest.
func (r *rig) elsewhere(role string) *other {
	exe, err := os.Executable()
	require.NoError(r.t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, cmd.Start())
	said := make(chan string, 16)
	go func() {
		defer close(said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said <- lines.Text()
		}
	}()
	kill := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		for range said {
		}
		_ = cmd.Wait()
	})
	r.t.Cleanup(kill)
	return &other{pid: cmd.Process.Pid, said: said, kill: kill}
}

func (r *rig) halt() {
	r.stop()
	select {
	case err := <-r.ran:
		require.NoError(r.t, err)
		r.ran <- nil
	case <-time.After(patience):
		r.t.Fatalf("the supervisor did not stop; journal:\n%s", r.story())
	}
}

func (r *rig) story() string {
	var b strings.Builder
	for _, e := range r.Journal().Last(1000) {
		fmt.Fprintf(&b, "%s %s\n", e.Time.Format("05.000"), e)
	}
	return b.String()
}

// await waits for a journal entry that has the text in it.
func (r *rig) await(text string) supervisor.Entry { return r.awaitAfter(0, text) }

// awaitAfter is await for entries after the one numbered after.
func (r *rig) awaitAfter(after uint64, text string) supervisor.Entry {
	for e := range r.Journal().Follow(r.ctx, after) {
		if strings.Contains(e.String(), text) {
			return e
		}
	}
	require.FailNow(r.t, "waited in vain", "for %q; journal:\n%s", text, r.story())
	return supervisor.Entry{}
}

// call calls a puppet: "name", or "name/2" for its second instance.
func (r *rig) call(who, verb string, payload []byte) (json.RawMessage, error) {
	return r.callWithin(r.ctx, who, verb, payload)
}

func (r *rig) callWithin(ctx context.Context, who, verb string, payload []byte) (json.RawMessage, error) {
	name, number, one := strings.Cut(who, "/")
	m := supervisor.Message{Topic: name + "." + verb, Payload: payload}
	if one {
		m.Target = fmt.Sprintf("%s:1.0.0/instance-%03s", name, number)
	}
	answer, err := r.Call(ctx, m)
	if err != nil {
		return nil, err
	}
	return answer.JSON(), nil
}

// ask lets a puppet ask the host.
func (r *rig) ask(who, service, method string, params any) (json.RawMessage, error) {
	inner, err := json.Marshal(params)
	require.NoError(r.t, err)
	body, err := json.Marshal(request{Service: service, Method: method, Params: inner, TraceID: "trace-of-" + who})
	require.NoError(r.t, err)
	data, err := r.call(who, "do", body)
	require.NoError(r.t, err, "journal:\n%s", r.story())
	var out outcome
	require.NoError(r.t, json.Unmarshal(data, &out))
	if out.Error != nil {
		return nil, out.Error
	}
	return out.Data, nil
}

func (r *rig) tryPublish(who, topic, text string) error {
	_, err := r.ask(who, ipc.ServiceEvents, ipc.MethodPublish, ipc.Publication{Topic: topic, Payload: ipc.EncodePayload([]byte(text))})
	return err
}

func (r *rig) publish(who, topic string, texts ...string) {
	for _, text := range texts {
		require.NoError(r.t, r.tryPublish(who, topic, text))
	}
}

func (r *rig) trySubscribe(who string, p ipc.Subscription) (string, error) {
	data, err := r.ask(who, ipc.ServiceEvents, ipc.MethodSubscribe, p)
	var done ipc.Subscribed
	if err == nil {
		require.NoError(r.t, json.Unmarshal(data, &done))
	}
	return done.Subscription, err
}

func (r *rig) subscribe(who string, p ipc.Subscription) string {
	name, err := r.trySubscribe(who, p)
	require.NoError(r.t, err, "journal:\n%s", r.story())
	return name
}

// next waits for a puppet's next event.
func (r *rig) next(who string) (e event) {
	data, err := r.call(who, "next", nil)
	require.NoError(r.t, err, "journal:\n%s", r.story())
	require.NoError(r.t, json.Unmarshal(data, &e))
	return e
}

// texts are the payloads of a puppet's next n events.
func (r *rig) texts(who string, n int) (out []string) {
	for range n {
		out = append(out, r.next(who).Text)
	}
	return out
}

func (r *rig) count(who string) int {
	data, err := r.call(who, "count", nil)
	require.NoError(r.t, err)
	var n struct{ Count int }
	require.NoError(r.t, json.Unmarshal(data, &n))
	return n.Count
}

func (r *rig) mode(who, mode string) {
	_, err := r.call(who, "mode", []byte(mode))
	require.NoError(r.t, err)
}

// requireCode checks an error of the host: nothing has happened.
func requireCode(t *testing.T, err error, code string) *ipc.Error {
	t.Helper()
	var e *ipc.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, e.Message)
	require.Equal(t, ipc.NotDelivered, e.Outcome, e.Message)
	return e
}
