package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

const exportDo = `
[services."work.do"]
export = true
`

const exportAll = exportDo + `
[services."work.mode"]
export = true
[services."work.count"]
export = true
`

// newNode is a supervisor of a cluster, with nothing in it yet.
func newNode(t *testing.T, s *server, node string) *rig {
	r := newRig(t)
	r.options.URL, r.options.Node = s.url(), node
	require.NoError(t, os.MkdirAll(r.dir, 0o755))
	return r
}

// witness adds a module that tells what it sees.
func (r *rig) witness(name, more string) {
	r.addRole(name, "witness "+r.options.Node, more+"[stop]\ndrain = \"1s\"\n")
}

// sees waits until another node is known to offer a topic.
func (r *rig) sees(node, topic string) {
	require.Eventually(r.t, func() bool { return r.host.Provides(topic, node) }, patience, 5*time.Millisecond, "node %s", node)
}

// send calls a topic and returns what the witness saw.
func (r *rig) send(m supervisor.Message) (saw testimony, err error) {
	answer, err := r.Call(r.ctx, m)
	if err == nil {
		require.NoError(r.t, answer.Unpack(&saw))
	}
	return saw, err
}

// holding calls work.do such that it is held, and returns once somebody has it. The result comes through the channel.
func (r *rig) holding(ctx context.Context, text string, held func() bool) <-chan result {
	out := make(chan result, 1)
	go func() {
		answer, err := r.Call(ctx, supervisor.Message{Topic: "work.do", Payload: []byte(text)})
		res := result{err: err, at: time.Now()}
		if err == nil {
			res.err = answer.Unpack(&res.saw)
		}
		out <- res
	}()
	require.Eventually(r.t, held, patience, 5*time.Millisecond, "nobody has the call")
	return out
}

type result struct {
	saw testimony
	err error
	at  time.Time
}

// sendOff is send for who has something else to do meanwhile.
func (r *rig) sendOff(m supervisor.Message) <-chan result {
	out := make(chan result, 1)
	go func() {
		saw, err := r.send(m)
		out <- result{saw, err, time.Now()}
	}()
	return out
}

// has reports whether a module of this supervisor has a call.
func (r *rig) has(topic string) func() bool {
	return func() bool {
		for _, t := range r.Topics() {
			if t.Topic == topic && t.InFlight > 0 {
				return true
			}
		}
		return false
	}
}

// done is how many calls of a topic were answered here.
func (r *rig) done(topic string) uint64 {
	for _, t := range r.Topics() {
		if t.Topic == topic {
			return t.Done
		}
	}
	return 0
}

func requireError(t *testing.T, err error, code string, outcome ipc.Outcome) *ipc.Error {
	t.Helper()
	var e *ipc.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, e.Message)
	require.Equal(t, outcome, e.Outcome, e.Message)
	return e
}

func TestCallsFindTheirWay(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a, b := newNode(t, s, "a"), newNode(t, s, "b")
	a.witness("own", "")
	a.add("sender", "[requires]\nservices = [\"own.do\", \"work.*\"]\nremote = [\"own.do\", \"work.*\"]\n")
	b.witness("work", exportAll+"[services.\"work.next\"]\nexport = false\n")
	b.witness("own", "[services.\"own.do\"]\nexport = true\n")
	a.start()
	b.start()
	a.sees("b", "work.do")

	t.Run("with all that belongs to it", func(t *testing.T) {
		saw, err := a.send(supervisor.Message{Topic: "work.do", Payload: []byte{0, 'x', 255}, Priority: ipc.High, TTL: 20 * time.Second, TraceID: "0af7651916cd43dd8448eb211c80319c"})
		require.NoError(t, err)
		require.Equal(t, "b", saw.Node)
		require.Equal(t, ipc.High, saw.Priority)
		require.InDelta(t, 20_000, saw.TTLMS, 5_000)
		require.Equal(t, "0af7651916cd43dd8448eb211c80319c", saw.Context.TraceID)
		require.Equal(t, "host", saw.Context.SourceModule)
		require.Equal(t, 1, saw.Context.Attempt)
		require.NotEmpty(t, saw.Context.CallID)
	})
	t.Run("to who is here rather than there", func(t *testing.T) {
		a.sees("b", "own.do")
		saw, err := a.send(supervisor.Message{Topic: "own.do"})
		require.NoError(t, err)
		require.Equal(t, "a", saw.Node)
	})
	t.Run("to the node that is named", func(t *testing.T) {
		for _, target := range []string{"@b", "own@b", "own:1.0.0/instance-001@b"} {
			saw, err := a.send(supervisor.Message{Topic: "own.do", Target: target})
			require.NoError(t, err)
			require.Equal(t, "b", saw.Node)
		}
		for target, says := range map[string]string{
			"nobody@b":    "no module nobody offers own.do there; there are own:1.0.0@b",
			"own:2.0.0@b": "no module own:2.0.0 offers own.do there; there are own:1.0.0@b",
			"@c":          "there is no node c now; there are b",
			"own@c":       "there is no node c now; there are b",
		} {
			_, err := a.send(supervisor.Message{Topic: "own.do", Target: target})
			require.Contains(t, requireError(t, err, ipc.CodeNoProvider, ipc.NotDelivered).Message, says)
		}
	})
	t.Run("not to what is not exported", func(t *testing.T) {
		_, err := a.send(supervisor.Message{Topic: "work.next"})
		requireError(t, err, ipc.CodeNoProvider, ipc.NotDelivered)
		_, err = a.send(supervisor.Message{Topic: "work.next", Target: "@b"})
		require.Contains(t, requireError(t, err, ipc.CodeNoProvider, ipc.NotDelivered).Message, "no module offers work.next now on b; only topics with export = true")
		require.False(t, b.host.Provides("own.do", "a"))
	})
	t.Run("errors come as they are", func(t *testing.T) {
		_, err := a.send(supervisor.Message{Topic: "work.do", Payload: []byte("fail")})
		e := requireError(t, err, "SOUR", ipc.Done)
		require.Equal(t, "it does\nnot taste", e.Message)
		require.JSONEq(t, `{"ph":3}`, string(e.Details))
		require.Equal(t, 1500*time.Millisecond, e.RetryAfter)
		require.Equal(t, "work:1.0.0/instance-001@b", e.Origin)
	})
	t.Run("not if it is too large", func(t *testing.T) {
		_, err := a.send(supervisor.Message{Topic: "work.do", Payload: make([]byte, 2<<20)})
		requireError(t, err, ipc.CodeTooLarge, ipc.NotDelivered)
		_, err = a.send(supervisor.Message{Topic: "work.do", Payload: []byte("big")})
		requireError(t, err, ipc.CodeFrameTooLarge, ipc.Done)
	})
	t.Run("also if nobody waits for them", func(t *testing.T) {
		for topic, target := range map[string]string{"work.do": "", "own.do": "@b"} {
			before := b.done(topic)
			_, err := a.ask("sender", ipc.ServiceMessageBus, ipc.MethodSend, ipc.TargetedMessage{Message: ipc.Message{Topic: topic}, Target: target})
			require.NoError(t, err)
			require.Eventually(t, func() bool { return b.done(topic) == before+1 }, patience, 5*time.Millisecond)
		}
		for topic, target := range map[string]string{"work.next": "", "work.do": "@c"} {
			_, err := a.ask("sender", ipc.ServiceMessageBus, ipc.MethodSend, ipc.TargetedMessage{Message: ipc.Message{Topic: topic}, Target: target})
			requireCode(t, err, ipc.CodeNoProvider)
		}
	})
	t.Run("and are called back", func(t *testing.T) {
		ctx, cancel := context.WithCancel(a.ctx)
		defer cancel()
		ended := a.holding(ctx, "hold", b.has("work.do"))
		cancel()
		requireError(t, (<-ended).err, ipc.CodeCancelled, ipc.Unknown)
		require.Eventually(t, func() bool { return a.count("work") == 1 }, patience, 5*time.Millisecond)
	})
	t.Run("within their time", func(t *testing.T) {
		begun := time.Now()
		_, err := a.send(supervisor.Message{Topic: "work.do", Payload: []byte("hold"), TTL: 200 * time.Millisecond})
		requireError(t, err, ipc.CodeTimeout, ipc.Unknown)
		require.Less(t, time.Since(begun), 2*time.Second)
		require.Eventually(t, func() bool { return a.count("work") == 2 }, patience, 5*time.Millisecond)
	})
}

func TestModulesAreMicroServices(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	b := newNode(t, s, "b")
	b.witness("work", exportAll)
	b.witness("quiet", "")
	b.start()
	conn, err := nats.Connect(s.url())
	require.NoError(t, err)
	defer conn.Close()
	request := func(subject, text string) *nats.Msg {
		var m *nats.Msg
		require.Eventually(t, func() bool { // it takes a moment until the name is known to be free
			m, err = conn.Request(subject, []byte(text), patience)
			return err == nil
		}, patience, 20*time.Millisecond)
		return m
	}

	require.Equal(t, "hello", string(request("ixt.svc.work.mode", "hello").Data))
	require.Equal(t, "hello", string(request("ixt.node.b.svc.work.mode", "hello").Data))
	var saw testimony
	require.NoError(t, json.Unmarshal(request("ixt.svc.work.do", "hello").Data, &saw))
	require.Equal(t, "nats", saw.Context.SourceModule)
	for _, header := range []string{"Ixt-TTL: abc", "Ixt-Priority: -1", "Ixt-Priority: 9"} {
		m := nats.NewMsg("ixt.svc.work.do")
		name, value, _ := strings.Cut(header, ": ")
		m.Header.Set(name, value)
		odd, err := conn.RequestMsg(m, patience)
		require.NoError(t, err)
		require.Equal(t, ipc.CodeInvalidInput, odd.Header.Get("Nats-Service-Error-Code"))
		require.Contains(t, odd.Header.Get("Nats-Service-Error"), name+": "+value+" cannot be read; write ")
	}
	bad := request("ixt.svc.work.do", "fail")
	require.Equal(t, "SOUR", bad.Header.Get(micro.ErrorCodeHeader))
	require.Equal(t, "it does not taste", bad.Header.Get(micro.ErrorHeader))

	var ping micro.Ping
	require.NoError(t, json.Unmarshal(request("$SRV.PING.work", "").Data, &ping))
	require.Equal(t, "1.0.0", ping.Version)
	require.Equal(t, "b", ping.Metadata["node"])
	_, err = conn.Request("$SRV.PING.quiet", nil, patience)
	require.ErrorIs(t, err, nats.ErrNoResponders)
	var info micro.Info
	require.NoError(t, json.Unmarshal(request("$SRV.INFO.work", "").Data, &info))
	require.Len(t, info.Endpoints, 3)
	var stats micro.Stats
	require.NoError(t, json.Unmarshal(request("$SRV.STATS.work", "").Data, &stats))
	for _, e := range stats.Endpoints {
		if e.Subject == "ixt.svc.work.do" {
			require.JSONEq(t, `{"done":1,"failed":1}`, string(e.Data))
		}
	}

	require.NoError(t, b.Stop(b.ctx, "work"))
	require.Eventually(t, func() bool {
		_, err := conn.Request("ixt.svc.work.mode", nil, patience)
		return err == nats.ErrNoResponders
	}, patience, 5*time.Millisecond)
}

func TestCallerDies(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	b := newNode(t, s, "b")
	b.witness("work", exportAll)
	b.start()
	conn, err := nats.Connect(s.url())
	require.NoError(t, err)
	defer conn.Close()
	beats := func(state string) {
		require.NoError(t, conn.Publish("ixt.node.z.alive", []byte(`{"node":"z","id":"zz","serving":true,`+state+`}`)))
	}
	answers := make(chan *nats.Msg, 2)
	_, err = conn.ChanSubscribe("answers", answers)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		beats(`"topics":{"z":{"modules":["z:1.0.0"]}}`)
		_, err := conn.Request("ixt.node.b.svc.work.mode", nil, patience)
		return err == nil && b.host.Provides("z", "z")
	}, patience, 20*time.Millisecond)
	require.NoError(t, conn.PublishMsg(&nats.Msg{Subject: "ixt.node.b.svc.work.do", Reply: "answers", Data: []byte("hold"), Header: nats.Header{"Ixt-Call": {"1"}, "Ixt-From": {"zz"}}}))
	require.Equal(t, "b", (<-answers).Header.Get("Ixt-Accepted"))
	require.Eventually(t, b.has("work.do"), patience, 5*time.Millisecond)
	beats(`"leaving":true`)
	require.Equal(t, ipc.CodeCancelled, (<-answers).Header.Get(micro.ErrorCodeHeader))
	require.Eventually(t, func() bool { return b.count("work") == 1 }, patience, 5*time.Millisecond)
}

func TestServerGoesAndComes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a, b := newNode(t, s, "a"), newNode(t, s, "b")
	a.witness("own", "")
	b.witness("work", exportAll)
	a.start()
	b.start()
	a.sees("b", "work.do")
	held := a.holding(a.ctx, "hold", b.has("work.do"))
	stopped := time.Now()
	s.stop()
	r := <-held
	requireError(t, r.err, ipc.CodeUnavailable, ipc.Unknown)
	t.Logf("server: a call ended %s after its end", r.at.Sub(stopped))
	require.Less(t, r.at.Sub(stopped), time.Second)

	_, err := a.send(supervisor.Message{Topic: "work.do"})
	requireError(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
	_, err = a.send(supervisor.Message{Topic: "own.do"})
	require.NoError(t, err)

	s.start()
	started := time.Now()
	require.Eventually(t, func() bool {
		_, err = a.send(supervisor.Message{Topic: "work.do"})
		return err == nil
	}, patience, 10*time.Millisecond)
	t.Logf("server: back for callers after %s", time.Since(started))
}

func TestNodesHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	first, second, other := newNode(t, s, "a"), newNode(t, s, "a"), newNode(t, s, "b")
	first.witness("work", exportDo)
	second.witness("work", exportDo)
	second.witness("more", "[services.\"more.do\"]\nexport = true\n")
	other.start()
	first.start()
	other.sees("a", "work.do")
	second.start()
	require.Contains(t, second.await("another supervisor is node a").Text, "ixt run --node NAME")
	require.False(t, other.host.Provides("more.do", ""))
	_, err := second.send(supervisor.Message{Topic: "work.do"})
	require.NoError(t, err)

	first.halt()
	second.await("the name a is free again")
	other.sees("a", "more.do")

	_, err = host.New(&host.Options{Node: "no such.name"})
	requireCode(t, err, ipc.CodeConfigInvalid)
}

func TestNodesAreAdministered(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a, b := newNode(t, s, "a"), newNode(t, s, "b")
	b.witness("work", exportDo)
	a.start()
	b.start()
	a.sees("b", "work.do")
	ask := func(r host.AdminRequest) (int, string) {
		status, body, err := a.host.Forward(a.ctx, "b", r)
		require.NoError(t, err)
		return status, string(body)
	}
	status, _ := ask(host.AdminRequest{Method: http.MethodGet, Path: "/v1/modules"})
	require.Equal(t, http.StatusNotImplemented, status)

	b.host.Administer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, _ = w.Write(make([]byte, 1<<20))
		case "/stream":
			for http.NewResponseController(w).Flush() == nil {
				_, _ = w.Write([]byte("more"))
			}
		default:
			var body bytes.Buffer
			_, _ = body.ReadFrom(r.Body)
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte(strings.Join([]string{r.Method, r.URL.String(), body.String()}, " ")))
		}
	}))
	status, body := ask(host.AdminRequest{Method: http.MethodPost, Path: "/v1/x y", Query: map[string][]string{"q": {"1"}}, Body: []byte("hello")})
	require.Equal(t, http.StatusTeapot, status)
	require.Equal(t, "POST /v1/x%20y?q=1 hello", body)
	status, _ = ask(host.AdminRequest{Method: http.MethodGet, Path: "/large"})
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	_, body = ask(host.AdminRequest{Method: http.MethodGet, Path: "/stream"})
	require.Empty(t, body)
	_, _, err := a.host.Forward(a.ctx, "c", host.AdminRequest{})
	requireCode(t, err, ipc.CodeNoProvider)

	nodes := a.host.Nodes()
	require.Len(t, nodes, 2)
	require.Equal(t, "a", nodes[0].Node)
	require.True(t, nodes[0].Self)
	require.Equal(t, "b", nodes[1].Node)
	require.Equal(t, map[string][]string{"work.do": {"work:1.0.0"}}, nodes[1].Topics)
}

func TestAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.witness("work", exportDo+"[scale]\nsingleton = true\n")
	r.start()
	_, err := r.send(supervisor.Message{Topic: "work.do"})
	require.NoError(t, err)
	require.Len(t, r.host.Nodes(), 1)
	_, err = r.send(supervisor.Message{Topic: "work.do", Target: "@elsewhere"})
	requireCode(t, err, ipc.CodeNoProvider)
	_, _, err = r.host.Forward(r.ctx, "elsewhere", host.AdminRequest{})
	requireCode(t, err, ipc.CodeNoProvider)
}

func TestEngineLetsOthersIn(t *testing.T) {
	t.Parallel()
	a, b := newRig(t), newRig(t)
	a.options = host.Options{Listen: "127.0.0.1:0", Node: "a"}
	a.witness("work", exportDo)
	a.start()
	_, addr, _ := strings.Cut(a.await("the engine listens at ").Text, "listens at ")
	b.options = host.Options{URL: "nats://" + addr, Node: "b"}
	b.witness("own", "")
	b.start()
	b.sees("a", "work.do")
	saw, err := b.send(supervisor.Message{Topic: "work.do"})
	require.NoError(t, err)
	require.Equal(t, "a", saw.Node)
}
