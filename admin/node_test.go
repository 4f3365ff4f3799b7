package admin_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

// village is a cluster of three nodes, one of which is gone. The other one has no modules.
type village struct{ asked chan string }

func (*village) Nodes() []admin.Node {
	return []admin.Node{
		{Node: "here", Self: true, Topics: map[string][]string{"parrot.say": {"parrot:1.2.3"}}},
		{Node: "there", Topics: map[string][]string{"parrot.say": {"parrot:1.2.4"}, "owl.see": {"owl:2.0.0", "bat:1.0.0"}}},
		{Node: "away", Heard: testInfo.Started, Gone: "gone", Topics: map[string][]string{"crow.caw": {"crow:1.0.0"}}},
	}
}

func (v *village) Forward(_ context.Context, node string, r admin.NodeRequest) (int, []byte, error) {
	v.asked <- node + " " + r.Path
	return http.StatusOK, []byte("[]"), nil
}

// join serves the supervisor of s as one of the village.
func (s *served) join(t *testing.T, v *village) *admin.Client {
	server := admin.NewServer(s.sup, testInfo)
	server.Join(v)
	l, err := net.Listen("unix", filepath.Join(shortDir(t), "s"))
	require.NoError(t, err)
	h := httptest.NewUnstartedServer(server)
	_ = h.Listener.Close()
	h.Listener = l
	h.Start()
	t.Cleanup(h.Close)
	return admin.NewClient([]string{l.Addr().String()})
}

func TestTopicsAndModulesOfOtherNodes(t *testing.T) {
	s, v := serveParrot(t), &village{make(chan string, 8)}
	client := s.join(t, v)
	topics, err := client.Topics(t.Context())
	require.NoError(t, err)
	elsewhere := map[string][]string{}
	for _, topic := range topics {
		elsewhere[topic.Topic] = topic.Elsewhere
	}
	require.Equal(t, map[string][]string{
		"owl.see": {"bat:1.0.0@there", "owl:2.0.0@there"}, "parrot.say": {"parrot:1.2.4@there"}, "parrot.refuse": nil, "parrot.sleep": nil,
	}, elsewhere)
	require.Empty(t, topics[0].Modules, "owl.see is the first, and not here")
	require.Equal(t, []string{"parrot"}, topics[2].Modules)
	require.EqualValues(t, 1, topics[2].Done)

	nodes, err := client.AllModules(t.Context())
	require.NoError(t, err)
	require.Len(t, nodes, 3)
	require.Len(t, nodes[0].Modules, 1)
	require.Equal(t, admin.NodeModules{Node: "there", Modules: []supervisor.ModuleStatus{}, Heard: time.Time{}}, nodes[1])
	require.Equal(t, admin.NodeModules{Node: "away", Gone: "gone", Heard: testInfo.Started}, nodes[2])
	require.Equal(t, "there /v1/modules", <-v.asked)
	require.Empty(t, v.asked, "who is gone is not asked")
}

// What another node cannot answer in one piece is refused, and not cut short without a word.
func TestWhatCannotBePassedOn(t *testing.T) {
	s, v := serveParrot(t), &village{make(chan string, 8)}
	there := s.join(t, v).On("there")
	refused := func(err error) {
		require.ErrorIs(t, err, &ipc.Error{Code: ipc.CodeInvalidInput})
		require.ErrorContains(t, err, "cannot be asked of node there from here")
	}
	refused(there.GetBlob(t.Context(), "parrot", "l7/last.png", io.Discard))
	_, err := there.PutBlob(t.Context(), "parrot", "a", strings.NewReader("x"))
	refused(err)
	for _, err := range there.Attend(t.Context(), ipc.ServiceEvents, ipc.MethodSubscribe, ipc.Subscription{Pattern: ">"}) {
		refused(err)
	}
	for _, err := range there.Journal(t.Context(), admin.JournalQuery{Follow: true}) {
		refused(err)
	}
	for _, err := range there.Logs(t.Context(), admin.LogQuery{Follow: true}) {
		refused(err)
	}
	require.Empty(t, v.asked)
}

// A supervisor without an engine has the buckets that its manifests name, and no subscriptions.
func TestBucketsAndSubscriptionsWithoutAnEngine(t *testing.T) {
	s := serveParrot(t)
	names, err := s.client.Buckets(t.Context(), ipc.ServiceKV)
	require.NoError(t, err)
	require.Equal(t, []string{"parrot"}, names)
	_, err = s.client.Buckets(t.Context(), "log")
	require.ErrorContains(t, err, "has no buckets")
	subs, err := s.client.Subscriptions(t.Context(), "parrot")
	require.NoError(t, err)
	require.Empty(t, subs)
	_, err = s.client.Subscriptions(t.Context(), "parott")
	require.ErrorContains(t, err, "did you mean "+manifest.Nearest("parott", []string{"parrot"}))
}
