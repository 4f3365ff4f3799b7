package crash_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/crash"
	"github.com/ixtrun/ixt/internal/logs"
)

func TestReportAsAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "crashes")
	s := crash.Open(dir, nil)
	r := report("press")
	r.Cause = crash.Cause{Kind: crash.KindProtocol, Code: -1, Signal: "SIGKILL", Text: "bad JSON", FrameHead: crash.FrameHead([]byte("{\"id\": \x00}"))}
	r.SpawnedAt, r.ReadyAt, r.NextAttempt = moment.Add(-time.Hour), moment.Add(-time.Minute), moment.Add(time.Second)
	r.MaxRSSBytes, r.CPUUserMS, r.CPUSystemMS, r.Restarts = 1<<20, 12, 3, 4
	r.SDK, r.Decision, r.Panic, r.Dump = "ixt-go/1", "again", "panic: boom", "goroutine 1"
	r.Calls = []crash.Call{{Topic: "press.check", CallID: "c", TraceID: "t", AgeMS: 30, Attempt: 1, PayloadBytes: 5, PayloadSHA256: "2cf2"}}
	r.Lines = []logs.Entry{{Seq: 7, Time: moment, Module: "press", Instance: 1, Stream: logs.Stderr, Level: logs.LevelError, Message: "panic: <boom>"}}
	id, err := s.Add(r)
	require.NoError(t, err)
	require.Equal(t, "0001-press", id)

	path := filepath.Join(dir, "0001-press.json")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), `"why": "exit 2: panic: <boom>"`, "readable as it is")
	require.JSONEq(t, `{"id":"0001-press","time":"2026-11-21T10:15:02.123456789Z","module":"press","version":"2.4.1","instance":1,"pid":4711,
		"cause":{"kind":"protocol","code":-1,"signal":"SIGKILL","text":"bad JSON","frame_head":"{\"id\": \\x00}"},
		"why":"exit 2: panic: <boom>","uptime_ms":200000,"in_flight":1,"sdk":"ixt-go/1",
		"spawned_at":"2026-11-21T09:15:02.123456789Z","ready_at":"2026-11-21T10:14:02.123456789Z",
		"max_rss_bytes":1048576,"cpu_user_ms":12,"cpu_system_ms":3,"restarts":4,"decision":"again",
		"next_attempt":"2026-11-21T10:15:03.123456789Z","panic":"panic: boom","dump":"goroutine 1",
		"calls":[{"topic":"press.check","call_id":"c","trace_id":"t","age_ms":30,"attempt":1,"payload_bytes":5,"payload_sha256":"2cf2"}],
		"lines":[{"seq":7,"time":"2026-11-21T10:15:02.123456789Z","module":"press","instance":1,"stream":"stderr","level":"error","message":"panic: <boom>"}]}`,
		string(text))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	require.Equal(t, []string{"0001-press.json"}, files(t, dir))

	r.ID, r.InFlight = id, 1
	got, err := s.Get(id)
	require.NoError(t, err)
	require.Equal(t, &r, got)
	heads, err := s.List("")
	require.NoError(t, err)
	require.Equal(t, []crash.Head{r.Head}, heads)
}

func TestEmptyReportHasEmptyLists(t *testing.T) {
	dir := t.TempDir()
	id := add(t, crash.Open(dir, nil), "press")[0]
	text, err := os.ReadFile(filepath.Join(dir, id+".json"))
	require.NoError(t, err)
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &members))
	require.Equal(t, "[]", string(members["calls"]))
	require.Equal(t, "[]", string(members["lines"]))
	require.NotContains(t, members, "ready_at")
	require.NotContains(t, members, "next_attempt")
}

// A module decides what is in its log, its frames and its calls: none of it may make a report large.
func TestReportsAreBounded(t *testing.T) {
	s := crash.Open(t.TempDir(), nil)
	huge := strings.Repeat("ü\n", 1<<20)
	r := report("press")
	r.Why, r.Decision, r.Cause.Text, r.Cause.FrameHead = huge, huge, huge, huge
	r.Version, r.SDK, r.Cause.Signal, r.Panic, r.Dump = huge, huge, huge, huge, huge
	for n := range 5000 {
		r.Calls = append(r.Calls, crash.Call{Topic: huge, CallID: huge, TraceID: huge, AgeMS: int64(n)})
		r.Lines = append(r.Lines, logs.Entry{Message: fmt.Sprint(n)})
	}
	_, err := s.Add(r)
	require.NoError(t, err)
	got, err := s.Get(crash.Last)
	require.NoError(t, err)
	require.Equal(t, 5000, got.InFlight)
	require.Len(t, got.Calls, 100)
	require.Equal(t, int64(4999), got.Calls[0].AgeMS, "the oldest first")
	require.Len(t, got.Lines, 100)
	require.Equal(t, "4900", got.Lines[0].Message)
	require.Equal(t, "4999", got.Lines[99].Message)
	require.LessOrEqual(t, len(got.Panic), 8<<10)
	require.LessOrEqual(t, len(got.Dump), 64<<10)
	require.True(t, strings.HasSuffix(got.Why, "…"))
	require.Equal(t, int64(0), r.Calls[0].AgeMS, "the caller's own stay as they are")
	require.Equal(t, huge, r.Calls[0].Topic)

	r.Lines = nil
	for range 100 {
		r.Lines = append(r.Lines, logs.Entry{Message: huge[:60<<10], Fields: map[string]json.RawMessage{"a": json.RawMessage(`"a"`)}})
	}
	_, err = s.Add(r)
	require.NoError(t, err)
	got, err = s.Get(crash.Last)
	require.NoError(t, err)
	require.Len(t, got.Lines, 4)
}

func TestFrameHead(t *testing.T) {
	for frame, want := range map[string]string{
		``:                              ``,
		`{"type":"handle"}`:             `{"type":"handle"}`,
		"a\"\\\"\x00\n\xff\u202eü\x1b[": `a"\\"\x00\n\xff\u202eü\x1b[`,
		strings.Repeat("a", 300):        strings.Repeat("a", 256),
		strings.Repeat("\x00", 300):     strings.Repeat(`\x00`, 256),
	} {
		require.Equal(t, want, crash.FrameHead([]byte(frame)))
	}
}

func TestCauseString(t *testing.T) {
	for want, cause := range map[string]crash.Cause{
		"exit 0":  {Kind: crash.KindExit},
		"exit 3":  {Kind: crash.KindExit, Code: 3},
		"SIGSEGV": {Kind: crash.KindSignal, Code: -1, Signal: "SIGSEGV"},
		"signal":  {Kind: crash.KindSignal, Code: -1},
		"oom":     {Kind: crash.KindOOM, Code: -1, Signal: "SIGKILL"},
		"health":  {Kind: crash.KindHealth, Code: -1, Signal: "SIGABRT"},
	} {
		require.Equal(t, want, cause.String())
	}
}
