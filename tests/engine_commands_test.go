package tests

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/supervisor"
)

// newKeeping is a running supervisor with a module that asks its host for what it is told to.
func newKeeping(t *testing.T) *shell {
	s := newShell(t)
	s.modules.add("asker", "asking", []string{"asker.ask"}, `events = ["alarm.*"]
[requires]
events = ["plc.>"]
kv = ["line-limits"]
blobs = ["images"]
`)
	r := s.run("asker")
	t.Cleanup(r.interrupt)
	return s
}

// A slip of the hand makes no bucket.
func TestBucketsThatNobodyHasAreNotMade(t *testing.T) {
	s := newKeeping(t)
	require.Equal(t, result{1, "", "there is no module or bucket \"line-limit\"; --create makes one; did you mean line-limits?\n"}, s.ixt("kv", "put", "line-limit", "l7", "20"))
	require.Equal(t, result{1, "", "there is no module or bucket \"image\"; --create makes one; did you mean images?\n"}, s.ixtReading("x", "blob", "put", "image", "l7"))
	for _, args := range [][]string{
		{"kv", "get", "askr", "k"}, {"kv", "ls", "askr"}, {"kv", "rm", "askr", "k"}, {"kv", "watch", "askr"},
		{"blob", "get", "askr", "b", "-o", "f"}, {"blob", "ls", "askr"}, {"blob", "rm", "askr", "b"},
	} {
		require.Equal(t, result{1, "", "there is no module or bucket \"askr\"; did you mean asker?\n"}, s.ixt(args...), args)
	}
	require.Equal(t, "revision 1\n", s.ixt("kv", "put", "line-limits", "l7", "20").stdout, "a manifest names it")
	require.Equal(t, "revision 1\n", s.ixt("kv", "put", "asker", "l7", "20").stdout)
	require.Equal(t, "revision 1\n", s.ixt("kv", "put", "recipes", "a", "1", "--create").stdout)
	require.Equal(t, result{0, "revision 2\n", ""}, s.ixt("kv", "put", "recipes", "a", "2"), "now there is one")
	require.Equal(t, result{1, "", "there is no module or bucket \"recipes\"\n"}, s.ixt("blob", "ls", "recipes"), "of keys")
	require.Zero(t, s.ixtReading("x", "blob", "put", "recipes", "a", "--create").code)
	require.Contains(t, s.ixt("blob", "ls", "recipes").stdout, "a     1 ")
	require.Equal(t, 2, s.ixt("kv", "put", "", "a", "1", "--create").code)
	require.Equal(t, 2, s.ixt("kv", "put", "a b", "a", "1", "--create").code)
}

func TestBlobIsWrittenToAFile(t *testing.T) {
	s := newKeeping(t)
	require.Zero(t, s.ixtReading("first", "blob", "put", "images", "l7").code)
	sh := func(line string) result { return s.sh("cd " + s.path("home") + "; " + line) }
	read := func(name string) string {
		text, err := os.ReadFile(s.path("home", name))
		require.NoError(t, err)
		return string(text)
	}
	for umask, mode := range map[string]os.FileMode{"022": 0o644, "077": 0o600, "002": 0o664} {
		require.Equal(t, result{0, "", ""}, sh("umask "+umask+"; ixt blob get images l7 -o f"+umask))
		info, err := os.Stat(s.path("home", "f"+umask))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode())
		require.Equal(t, "first", read("f"+umask))
	}
	require.Zero(t, s.ixtReading("second", "blob", "put", "images", "l7").code)
	require.Equal(t, result{0, "", ""}, sh("ln -s f022 link; ixt blob get images l7 -o link; test -L link"))
	require.Equal(t, "second", read("f022"))
	require.Equal(t, result{0, "second", ""}, sh("ixt blob get images l7 -o /dev/stdout | cat"))
	require.Equal(t, result{1, "", "the bucket images has no blob l8\n"}, sh("ixt blob get images l8 -o f077"))
	require.Equal(t, "first", read("f077"), "what was there stays")
	require.Equal(t, result{1, "", ". is a directory; name a file in it\n"}, sh("ixt blob get images l7 -o ."))
	require.Equal(t, result{1, "", "creating no/f: no such file or directory\n"}, sh("ixt blob get images l7 -o no/f"))
	require.Equal(t, result{0, "f002\nf022\nf077\nlink\n", ""}, sh("ls -A"))
}

func TestPublishingOnAPatternSaysWhatToWrite(t *testing.T) {
	s := newKeeping(t)
	require.Equal(t, result{2, "", "topic \"plc.*\" has a wildcard: an event has one topic, write that; wildcards are for who subscribes\n"}, s.ixt("pub", "plc.*", "1"))
}

func TestDescribeShowsWhatAModuleMayUseAndWhatComes(t *testing.T) {
	s := newKeeping(t)
	for _, subscription := range []string{`{"pattern":"plc.*","durable":"stock","group":true}`, `{"pattern":"plc.a"}`} {
		got := s.ixt("call", "asker.ask", `{"service":"events","method":"subscribe","params":`+subscription+`}`)
		require.Zero(t, got.code, got.stderr)
	}
	text := s.ixt("describe", "asker").stdout
	for _, line := range []string{"publishes  alarm.*\n", "subscribes plc.>\n", "kv         asker, line-limits\n", "blobs      asker, images\n",
		"  subscribed to plc.a: 0 handled, 0 failed, 0 lost, 0 wait\n",
		"  subscribed to plc.*, durable as stock, each event to one instance: 0 handled, 0 failed, 0 lost, 0 wait\n"} {
		require.Contains(t, text, line)
	}
	var status struct {
		supervisor.ModuleStatus
		Subscriptions []supervisor.SubscriptionStatus
	}
	require.NoError(t, json.Unmarshal([]byte(s.ixt("describe", "asker", "--json").stdout), &status))
	require.Equal(t, []string{"alarm.*"}, status.Publishes)
	require.Len(t, status.Subscriptions, 2)
	require.Equal(t, "plc.a", status.Subscriptions[0].Pattern)
	require.Equal(t, "stock", status.Subscriptions[1].Durable)
}
