package cli

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/supervisor"
)

var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.Local)

func TestLinesOfAnotherDayHaveTheDate(t *testing.T) {
	e := supervisor.Entry{Time: noon, Module: "press", Text: "sleeps"}
	require.Equal(t, "12:00:00.000 INF press sleeps", entryLine(e, noon.Add(11*time.Hour)))
	require.Equal(t, "2024-02-29 12:00:00.000 INF press sleeps", entryLine(e, noon.Add(13*time.Hour)))
	require.Equal(t, "2024-02-29 12:00:00.000 INF press sleeps", entryLine(e, noon.Add(-13*time.Hour)))
	l := logs.Entry{Time: noon, Module: "press", Level: logs.LevelWarn, Message: "hot"}
	require.Equal(t, "2024-02-29 12:00:00.000 WRN press | hot", logLine(l, noon.AddDate(1, 0, 0)))
}

func TestLogLine(t *testing.T) {
	for _, c := range []struct {
		name, want string
		entry      logs.Entry
	}{
		{"two lines", "| a\n    b", logs.Entry{Message: "a\nb"}},
		{"first piece", "| xx…", logs.Entry{Message: "xx", Piece: logs.First}},
		{"middle piece", "| …xx…", logs.Entry{Message: "xx", Piece: logs.Middle}},
		{"last piece", "| …xx", logs.Entry{Message: "xx", Piece: logs.Last}},
		{"fields", `| failed n=7 on="a\tb"`, logs.Entry{Message: "failed", Fields: map[string]json.RawMessage{
			"on": json.RawMessage(`"a\tb"`), "n": json.RawMessage("7")}}},
		{"field of several lines", `| failed code="E1" one="last\n"` + "\n    stack\n      Traceback:\n        File \"a\uFFFD.py\"", logs.Entry{Message: "failed", Fields: map[string]json.RawMessage{
			"stack": json.RawMessage(`"Traceback:\n  File \"a\u001b.py\"\n"`), "code": json.RawMessage(`"E1"`), "one": json.RawMessage(`"last\n"`)}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.entry.Time, c.entry.Module, c.entry.Level = noon, "press", logs.LevelInfo
			require.Equal(t, "12:00:00.000 INF press "+c.want, logLine(c.entry, noon))
		})
	}
}

func TestPayloadOnALine(t *testing.T) {
	for payload, want := range map[string]string{
		"79.5": "79.5", " a  b": " a  b", `{"a":1}`: `{"a":1}`, "": "",
		"a\nb": `"a\nb"`, "a b\n": `"a b\n"`, "\ta": `"\ta"`, "\x1b[1m": "(4 bytes)", "\xff": "(1 bytes)",
	} {
		require.Equal(t, want, brief([]byte(payload)))
	}
}
