package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/internal/crash"
	"github.com/ixtrun/ixt/internal/logs"
)

var moment = time.Date(2026, 11, 21, 10, 15, 2, 123_000_000, time.Local)

// panicked is the report about a parrot that panicked.
func panicked() crash.Report {
	return crash.Report{
		Head: crash.Head{
			Time: moment, Module: "parrot", Version: "1.2.3", Instance: 1, PID: 4711,
			Cause: crash.Cause{Kind: crash.KindExit, Code: 2, Text: "exit 2: panic: no seed"}, Why: "exit 2: panic: no seed", UptimeMS: 200_000,
		},
		SDK: "ixt-go/1", SpawnedAt: moment.Add(-200 * time.Second), ReadyAt: moment.Add(-199 * time.Second),
		MaxRSSBytes: 88_290_099, CPUUserMS: 12_400, CPUSystemMS: 300, Restarts: 3,
		Decision: "exit 2: panic: no seed: 2nd failure in 3.1s; gives up after 5 in 5m", NextAttempt: moment.Add(400 * time.Millisecond),
		Panic: "panic: no seed\ngoroutine 1 [running]:\nmain.main()\n\t/src/parrot/main.go:7",
		Calls: []crash.Call{
			{Topic: "parrot.say", CallID: "00000000000000c1", TraceID: "t-1", AgeMS: 40, Attempt: 1, PayloadBytes: 5, PayloadSHA256: strings.Repeat("ab", 32)},
			{Topic: "parrot.json", CallID: "00000000000000c2", TraceID: "t-2", AgeMS: 1600, Attempt: 2, PayloadBytes: 0, PayloadSHA256: strings.Repeat("cd", 32)},
		},
		Lines: []logs.Entry{
			{Time: moment.Add(-time.Second), Module: "parrot", Instance: 1, Stream: logs.Stderr, Level: logs.LevelInfo, Message: "squawk", Fields: map[string]json.RawMessage{"n": json.RawMessage("7")}},
			{Time: moment, Module: "parrot", Instance: 1, Stream: logs.Stderr, Level: logs.LevelError, Message: "panic: no seed"},
		},
	}
}

// crashed is a state directory with reports in it.
func crashed(t *testing.T, reports ...crash.Report) (state string) {
	state = shortDir(t)
	for _, r := range reports {
		_, err := crash.Open(filepath.Join(state, "crashes"), nil).Add(r)
		require.NoError(t, err)
	}
	return state
}

// kept runs `ixt crash` where no supervisor does.
func kept(t *testing.T, state string, args ...string) result {
	return ixt(t, append([]string{"crash", "--state", state, "--socket", filepath.Join(state, "admin.sock")}, args...)...)
}

func keptNote(state string) string {
	return "no supervisor is running; this is what the last one left in " + state + "\n"
}

func TestCrashPage(t *testing.T) {
	state := crashed(t, panicked())
	require.Equal(t, result{0, `parrot/001 exited with code 2 after 3m20s, with 2 calls in flight
  why        exit 2: panic: no seed
  decision   exit 2: panic: no seed: 2nd failure in 3.1s; gives up after 5 in 5m
  next       it is started again after 0.4s, at 10:15:02.523
  report     0001-parrot
  ended      2026-11-21 10:15:02
  module     parrot 1.2.3
  sdk        ixt-go/1
  process    4711, spawned at 10:11:42.123, ready at 10:11:43.123
  memory     84.2 MiB at most
  processor  12s in the program, 0.3s in the kernel
  restarts   3

calls in flight
  TOPIC        AGE   ATTEMPT  BYTES  SHA256        CALL              TRACE
  parrot.json  1.6s  2        0      cdcdcdcdcdcd  00000000000000c2  t-2
  parrot.say   0.0s  1        5      abababababab  00000000000000c1  t-1

its own words
  panic: no seed
  goroutine 1 [running]:
  main.main()
  	/src/parrot/main.go:7

last log lines
  10:15:01.123 INF parrot/001 | squawk n=7
  10:15:02.123 ERR parrot/001 | panic: no seed
`, keptNote(state)}, kept(t, state, "last"))
}

func TestCrashInOneSentence(t *testing.T) {
	process := func(c crash.Cause, change func(*crash.Report)) crash.Report {
		r := crash.Report{Head: crash.Head{Time: moment, Module: "press", Instance: 2, PID: 4711, UptimeMS: 9500, Cause: c}, ReadyAt: moment}
		if change != nil {
			change(&r)
		}
		return r
	}
	early := func(r *crash.Report) { r.ReadyAt = time.Time{} }
	none := func(r *crash.Report) { r.ReadyAt, r.PID, r.UptimeMS = time.Time{}, 0, 0 }
	busy := func(r *crash.Report) { r.Calls = make([]crash.Call, 1) }
	atOnce := func(r *crash.Report) { r.NextAttempt = r.Time }
	flooded := func(r *crash.Report) { r.Calls = make([]crash.Call, 120) }
	for _, c := range []struct {
		report  crash.Report
		want    string
		contain string
	}{
		{process(crash.Cause{Kind: crash.KindExit, Code: 1}, early), "exited with code 1 after 9.5s, before it was ready", "\n  next       it is not started again by itself; `ixt start press` does so\n"},
		{process(crash.Cause{Kind: crash.KindSignal, Signal: "SIGSEGV", Code: -1}, nil), "was ended by SIGSEGV after 9.5s", "\n  report     0001-press\n"},
		{process(crash.Cause{Kind: crash.KindOOM, Signal: "SIGKILL", Code: -1}, busy), "was killed for lack of memory after 9.5s, with a call in flight", "\ncalls in flight\n"},
		{process(crash.Cause{Kind: crash.KindHealth, Code: -1}, func(r *crash.Report) { r.Dump = "SIGQUIT: quit" }), "was found sick and was ended after 9.5s", "\nwhere it hung\n  SIGQUIT: quit\n"},
		{process(crash.Cause{Kind: crash.KindProtocol, Code: -1, Text: "no JSON", FrameHead: `{"id\x00`}, flooded),
			"broke the protocol after 9.5s, with 120 calls in flight", "\n  detail     no JSON\n  frame      {\"id\\x00\n\ncalls in flight (and 20 younger ones)\n"},
		{process(crash.Cause{Kind: crash.KindClosed}, atOnce), "closed its connection and lived on after 9.5s", "\n  next       it is started again at once\n"},
		{process(crash.Cause{Kind: crash.KindStart, Code: -1}, none), "could not be started", "\n  restarts   0\n"},
		{process(crash.Cause{Kind: crash.KindConfig}, early), "refused its configuration after 9.5s, before it was ready", ""},
		{process(crash.Cause{Kind: crash.KindBuild, Code: -1}, none), "could not be built", ""},
		{process(crash.Cause{Kind: "meteor"}, nil), "ended abnormally: meteor after 9.5s", ""},
	} {
		got := kept(t, crashed(t, c.report), "1")
		require.Zero(t, got.code, got.stderr)
		first, _, _ := strings.Cut(got.stdout, "\n")
		require.Equal(t, "press/002 "+c.want, first)
		require.Contains(t, got.stdout, c.contain)
	}
}

func TestCrashList(t *testing.T) {
	press := crash.Report{Head: crash.Head{
		Time: moment.Add(time.Hour), Module: "press", Instance: 12, Cause: crash.Cause{Kind: crash.KindBuild, Code: -1},
	}}
	state := crashed(t, panicked(), press)
	require.Equal(t, result{0, `ID           WHEN                 MODULE      CAUSE   UPTIME  CALLS
0002-press   2026-11-21 11:15:02  press/012   build   -       0
0001-parrot  2026-11-21 10:15:02  parrot/001  exit 2  3m20s   2
`, keptNote(state)}, kept(t, state))
	require.Equal(t, result{0, `ID          WHEN                 MODULE     CAUSE  UPTIME  CALLS
0002-press  2026-11-21 11:15:02  press/012  build  -       0
`, keptNote(state)}, kept(t, state, "--module", "press"))

	var heads []admin.CrashHead
	require.NoError(t, json.Unmarshal([]byte(kept(t, state, "--json").stdout), &heads))
	require.Len(t, heads, 2)
	require.Equal(t, 2, heads[1].InFlight)
	var r admin.CrashReport
	require.NoError(t, json.Unmarshal([]byte(kept(t, state, "parrot", "--json").stdout), &r))
	require.Equal(t, "0001-parrot", r.ID)
	require.Equal(t, panicked().Panic, r.Panic)
	require.Len(t, r.Lines, 2)
}

func TestCrashThatIsNotThere(t *testing.T) {
	state := crashed(t, panicked())
	nobody := "no supervisor running: tried " + filepath.Join(state, "admin.sock") + "; start one with `ixt run DIR`, or call with --modules DIR; and "
	nothing := nobody + "the last one left nothing of it in " + state + " (--state names another place)\n"
	require.Equal(t, result{3, "", nobody + "in " + state + " there is no crash report 7, nor one of a module of that name; `ixt crash` lists them\n"}, kept(t, state, "7"))
	require.Equal(t, result{3, "", nothing}, kept(t, state, "--module", "press"))
	require.Equal(t, result{2, "", "--module selects from the list; write `ixt crash parrot` for its newest report; see `ixt crash --help`\n"}, kept(t, state, "--module", "parrot", "last"))

	path := filepath.Join(state, "crashes", "0001-parrot.json")
	write(t, path, `{"id":`)
	damage := path + " holds no crash report any more: unexpected end of JSON input; remove it\n"
	require.Equal(t, result{3, "", nobody + "what the last one left cannot be read: " + damage}, kept(t, state, "1"))
	require.Equal(t, result{0, "ID  WHEN  MODULE  CAUSE  UPTIME  CALLS\n", keptNote(state) + damage}, kept(t, state))

	require.NoError(t, os.Remove(path))
	require.Equal(t, result{3, "", nothing}, kept(t, state))
	require.Equal(t, result{3, "", nobody + "in " + state + " there is no crash report: no module has ended abnormally\n"}, kept(t, state, "last"))
}

// What a module wrote, or got as a call, must not play with the terminal.
func TestCrashPageIsPrintable(t *testing.T) {
	const evil = "\x1b]0;gotcha\x07\r\nnext"
	r := panicked()
	r.Version, r.SDK, r.Why, r.Decision, r.Panic, r.Dump = evil, evil, evil, evil, evil, evil
	r.Cause = crash.Cause{Kind: evil, Signal: evil, Text: evil, FrameHead: evil}
	r.Calls[0].Topic, r.Calls[0].CallID, r.Calls[0].TraceID, r.Calls[0].PayloadSHA256 = evil, evil, evil, evil
	r.Lines[0].Message, r.Lines[0].Fields = evil, map[string]json.RawMessage{evil: json.RawMessage(`"\u001b"`)}
	state := crashed(t, r)
	for _, args := range [][]string{nil, {"last"}} {
		got := kept(t, state, args...)
		require.Zero(t, got.code, got.stderr)
		require.False(t, strings.ContainsAny(got.stdout, "\x1b\x07\r"), "%q", got.stdout)
		require.NotContains(t, got.stdout, "\nnext")
	}
}

func TestCrashesOfARunningSupervisor(t *testing.T) {
	r := runParrot(t)
	r.await("INF parrot/001 ready")
	r.drain()
	require.Equal(t, result{0, "", "no crash reports: no module has ended abnormally\n"}, r.ixt("crash"))
	require.Equal(t, result{0, "[]\n", ""}, r.ixt("crash", "--json"))
	require.Equal(t, result{3, "", "there is no crash report: no module has ended abnormally\n"}, r.ixt("crash", "last"))

	_, err := crash.Open(filepath.Join(r.state, "crashes"), nil).Add(panicked())
	require.NoError(t, err)
	require.Regexp(t, `(?m)^0001-parrot  2026-11-21 10:15:02  parrot/001  exit 2  3m20s   2$`, r.ixt("crash").stdout)
	for _, id := range []string{"0001-parrot", "1", "parrot", "last"} {
		got := r.ixt("crash", id)
		require.True(t, strings.HasPrefix(got.stdout, "parrot/001 exited with code 2 after 3m20s, with 2 calls in flight\n"), got)
		require.Empty(t, got.stderr)
	}
	require.Equal(t, result{3, "", "there is no crash report 7, nor one of a module of that name; `ixt crash` lists them\n"}, r.ixt("crash", "7"))
	require.Equal(t, result{3, "", "there is no module parort; did you mean parrot? `ixt ps` lists them\n"}, r.ixt("crash", "--module", "parort"))
	offered := "0001-parrot\t2026-11-21 10:15:02 exit 2\n:4\n"
	require.Equal(t, offered, ixt(t, "__complete", "crash", "--socket", r.socket, "").stdout)
	require.Equal(t, ":4\n", ixt(t, "__complete", "crash", "--socket", r.socket, "last", "").stdout)
	r.cancel()
	require.Zero(t, <-r.code)
	require.Equal(t, offered, ixt(t, "__complete", "crash", "--socket", r.socket, "--state", r.state, "").stdout)
}
