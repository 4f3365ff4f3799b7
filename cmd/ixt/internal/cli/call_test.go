package cli_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestPrivateCall(t *testing.T) {
	dir := parrotDir(t)
	for _, c := range []struct {
		name  string
		args  string
		stdin io.Reader
		want  result
	}{
		{name: "payload", args: "parrot.say hello", want: result{0, "hello\n", ""}},
		{name: "no payload", args: "parrot.say", want: result{0, "\n", ""}},
		{name: "stdin", args: "parrot.say -", stdin: strings.NewReader("two\nlines\n"), want: result{0, "two\nlines\n", ""}},
		{name: "raw", args: "parrot.say hello --raw", want: result{0, "hello", ""}},
		{name: "json", args: "parrot.say hello --json", want: result{0, "{\"payload\":\"aGVsbG8=\"}\n", ""}},
		{name: "other shape", args: "parrot.json", want: result{0, "{\"n\":7,\"note\":\"aGVsbG8=\",\"status\":\"done\"}\n", ""}},
		{name: "field with text", args: "parrot.json --field status", want: result{0, "done\n", ""}},
		{name: "field with base64", args: "parrot.json --field note", want: result{0, "hello\n", ""}},
		{name: "field with a number", args: "parrot.json --field n", want: result{0, "7\n", ""}},
		{name: "payload as a field", args: "parrot.say hello --field payload", want: result{0, "hello\n", ""}},
		{name: "no such field", args: "parrot.json --field x", want: result{1, "",
			"the call is done, but the answer has no member \"x\"; it has n, note, status\n"}},
		{name: "the module's error", args: "parrot.refuse", want: result{1, "",
			"TOO_EARLY: it is night\norigin: parrot:1.2.3/instance-001, outcome: done\n"}},
		{name: "unknown topic", args: "parrot.sya", want: result{3, "",
			"NO_PROVIDER: no module provides parrot.sya; did you mean parrot.say? `ixt topics` lists what there is\n" +
				"origin: supervisor, outcome: not_delivered\n"}},
		{name: "too much on stdin", args: "parrot.say -", stdin: zeros{}, want: result{2, "",
			"the payload on stdin is longer than the 12533760 bytes that fit into a frame; see `ixt call --help`\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"call", "--modules", dir}, strings.Fields(c.args)...)
			require.Equal(t, c.want, ixtWith(t, c.stdin, args...))
		})
	}
}

func TestCallWithUnknownOutcome(t *testing.T) {
	got := ixt(t, "call", "--modules", parrotDir(t), "parrot.crash")
	require.Equal(t, 4, got.code)
	require.Empty(t, got.stdout)
	require.Contains(t, got.stderr, ipc.CodeModuleGone+": ")
	require.Contains(t, got.stderr, "\norigin: supervisor, outcome: unknown\n")
}

func TestVerboseCallShowsTheSupervisorOnStderr(t *testing.T) {
	got := ixt(t, "call", "--modules", parrotDir(t), "parrot.say", "hello", "-v")
	require.Equal(t, "hello\n", got.stdout)
	require.Contains(t, got.stderr, "INF parrot/001 ready\n")
	require.Contains(t, got.stderr, "INF parrot/001 | squawk\n")
	require.NotContains(t, got.stderr, "Ctrl-C")
}
