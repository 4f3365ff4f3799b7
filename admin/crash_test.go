package admin_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/internal/crash"
	"github.com/ixtrun/ixt/ipc"
)

func TestCrashes(t *testing.T) {
	s := serveParrot(t)
	heads, err := s.client.Crashes(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []admin.CrashHead{}, heads)
	_, err = s.client.Crash(t.Context(), "last")
	require.EqualError(t, err, "NO_PROVIDER: there is no crash report: no module has ended abnormally")

	want := crash.Report{
		Head: crash.Head{
			Time: time.Unix(1700000000, 0).UTC(), Module: "parrot", Version: "1.2.3", Instance: 1, PID: 4711, UptimeMS: 1500,
			Cause: crash.Cause{Kind: crash.KindExit, Code: 2}, Why: "exit 2: panic: boom",
		},
		Panic: "panic: boom",
		Calls: []crash.Call{{Topic: "parrot.say", CallID: "c", TraceID: "t", AgeMS: 7, Attempt: 1}},
	}
	for range 2 {
		_, err = s.sup.Crashes().Add(want)
		require.NoError(t, err)
	}
	want.Module = "owl"
	_, err = s.sup.Crashes().Add(want)
	require.NoError(t, err)

	ids := func(module string) (ids []string) {
		heads, err := s.client.Crashes(t.Context(), module)
		require.NoError(t, err)
		for _, head := range heads {
			require.Equal(t, 1, head.InFlight)
			ids = append(ids, head.ID)
		}
		return ids
	}
	require.Equal(t, []string{"0003-owl", "0002-parrot", "0001-parrot"}, ids(""))
	require.Equal(t, []string{"0002-parrot", "0001-parrot"}, ids("parrot"))
	_, err = s.client.Crashes(t.Context(), "parort")
	require.ErrorContains(t, err, "did you mean parrot?")

	for id, found := range map[string]string{"0002-parrot": "0002-parrot", "1": "0001-parrot", "last": "0003-owl", "parrot": "0002-parrot"} {
		report, err := s.client.Crash(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, found, report.ID)
		require.Equal(t, "panic: boom", report.Panic)
		require.Equal(t, want.Calls, report.Calls)
		require.True(t, report.ReadyAt.IsZero())
	}
	for _, id := range []string{"4", "../version", "a b/c?d"} {
		_, err = s.client.Crash(t.Context(), id)
		require.ErrorIs(t, err, &ipc.Error{Code: ipc.CodeNoProvider})
		require.EqualError(t, err, "NO_PROVIDER: there is no crash report "+id+", nor one of a module of that name; `ixt crash` lists them")
	}
}
