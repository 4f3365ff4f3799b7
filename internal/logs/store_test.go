package logs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/internal/ringfile"
)

func openStore(t *testing.T, dir string) *logs.Store {
	t.Helper()
	s := logs.OpenStore(dir)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func entry(module string, instance int, message string) logs.Entry {
	return logs.Entry{Time: time.Now(), Received: time.Now(), Module: module, Instance: instance, Stream: logs.Stderr, Level: logs.LevelInfo, Message: message}
}

func write(s *logs.Store, module string, instance, from, to int) {
	for n := from; n <= to; n++ {
		s.Append(entry(module, instance, fmt.Sprint(n)))
	}
}

func count(from, to int) []string {
	out := []string{}
	for n := from; n <= to; n++ {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

func tail(t *testing.T, s *logs.Store, module string, n int) []string {
	t.Helper()
	entries, err := s.Tail(module, n)
	require.NoError(t, err)
	return messages(entries)
}

func TestRecent(t *testing.T) {
	s := openStore(t, t.TempDir())
	require.Empty(t, s.Recent("press", 1, 10))
	write(s, "press", 1, 1, 250)
	write(s, "press", 2, 1000, 1002)
	require.Equal(t, count(241, 250), messages(s.Recent("press", 1, 10)))
	require.Equal(t, count(151, 250), messages(s.Recent("press", 1, 1000)))
	require.Equal(t, count(1000, 1002), messages(s.Recent("press", 2, 1000)))
	require.Empty(t, s.Recent("press", 3, 10))
	require.Empty(t, s.Recent("press", 1, -1))
}

func TestMemoryIsBoundedInBytes(t *testing.T) {
	s := openStore(t, t.TempDir())
	for range 10 {
		s.Append(entry("press", 1, strings.Repeat("x", 60<<10)))
	}
	require.Len(t, s.Recent("press", 1, 100), 4)
	long := entry("press", 1, "m")
	long.Fields = map[string]json.RawMessage{"a": json.RawMessage(`"` + strings.Repeat("x", 300<<10) + `"`)}
	s.Append(long)
	require.Len(t, s.Recent("press", 1, 100), 1, "the newest stays, however long")
}

func TestTail(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	write(s, "press", 1, 1, 150)
	write(s, "mill", 1, 151, 152)
	write(s, "press", 2, 153, 300)
	write(s, "mill", 1, 301, 302)
	require.Equal(t, count(291, 302), tail(t, s, "", 12))
	require.Equal(t, count(1, 302), tail(t, s, "", ringfile.All))
	require.Equal(t, []string{"149", "150"}, tail(t, s, "press", 150)[:2])
	require.Equal(t, []string{"152", "301", "302"}, tail(t, s, "mill", 3))
	require.Empty(t, tail(t, s, "saw", 3))
	require.Empty(t, tail(t, s, "", 0))

	// Another process reads the files while the store is open.
	entries, err := logs.ReadDir(dir, "", 12)
	require.NoError(t, err)
	require.Equal(t, count(291, 302), messages(entries))
	require.True(t, entries[11].Received.IsZero())
	mine, err := s.Tail("", 1)
	require.NoError(t, err)
	require.False(t, mine[0].Received.IsZero(), "memory knows more than a file")
}

func TestStoreGoesOnWhereTheLastOneEnded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	first := logs.OpenStore(dir)
	write(first, "mill", 1, 1, 3)
	write(first, "press", 1, 4, 5)
	require.NoError(t, first.Close())
	write(first, "press", 1, 6, 6)
	require.Equal(t, count(1, 5), tail(t, first, "", 10), "a closed store takes nothing and can be read")

	second := openStore(t, dir)
	require.Empty(t, second.Recent("press", 1, 10))
	write(second, "mill", 1, 6, 7)
	require.Equal(t, count(1, 7), tail(t, second, "", 10))
	entries, err := second.Tail("", 10)
	require.NoError(t, err)
	for i, e := range entries {
		require.Equal(t, uint64(i+1), e.Seq)
	}
}

func TestEntryAsALineOfAFile(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	e := entry("press", 2, "a <b>\n\tc")
	e.Time = arrival
	e.Fields = map[string]json.RawMessage{"n": json.RawMessage("12345678901234567890"), "a": json.RawMessage(`"<"`)}
	e.Piece = logs.First
	s.Append(e)
	s.Append(logs.Entry{Module: "press", Level: logs.LevelInfo})
	text, err := os.ReadFile(filepath.Join(dir, "press.jsonl"))
	require.NoError(t, err)
	require.Equal(t, `{"seq":1,"time":"2026-03-01T12:00:00.123456789Z","module":"press","instance":2,"stream":"stderr","level":"info",`+
		`"message":"a <b>\n\tc","fields":{"a":"<","n":12345678901234567890},"piece":"first"}`+"\n"+
		`{"seq":2,"time":"0001-01-01T00:00:00Z","module":"press","level":"info","message":""}`+"\n", string(text))
	e.Seq, e.Received = 1, time.Time{}
	entries, err := logs.ReadDir(dir, "press", 2)
	require.NoError(t, err)
	require.Equal(t, e, entries[0])
}

func TestLimitsOfAModule(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	s.Module("press", &ringfile.Options{MaxSize: 4000})
	write(s, "press", 1, 1, 500)
	var total int64
	files, err := filepath.Glob(filepath.Join(dir, "press*.jsonl"))
	require.NoError(t, err)
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		total += info.Size()
	}
	require.LessOrEqual(t, total, int64(4000))
	require.Greater(t, total, int64(2500))
	s.Module("press", nil)
	write(s, "press", 1, 501, 700)
	require.Greater(t, len(tail(t, s, "press", ringfile.All)), 200)
}

func TestDiskTroubleStopsNothing(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("the system has no /dev/full")
	}
	dir := t.TempDir()
	require.NoError(t, os.Symlink("/dev/full", filepath.Join(dir, "press.jsonl")))
	s := openStore(t, dir)
	n, err := s.Trouble()
	require.Zero(t, n)
	require.NoError(t, err)
	following := s.Follow(t.Context(), "press", 0)
	write(s, "press", 1, 1, 3)
	n, err = s.Trouble()
	require.Equal(t, 3, n)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Equal(t, count(1, 3), messages(s.Recent("press", 1, 10)))
	entries, err := s.Tail("press", 10)
	require.NoError(t, err)
	require.Equal(t, count(1, 3), messages(entries))
	require.NoError(t, s.Close())
	require.Equal(t, count(1, 3), collect(following))
}

func TestDirectoryThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	s := openStore(t, file)
	write(s, "press", 1, 1, 2)
	_, err := s.Trouble()
	require.ErrorIs(t, err, syscall.ENOTDIR)
	entries, err := s.Tail("", 10)
	require.ErrorIs(t, err, syscall.ENOTDIR)
	require.Equal(t, count(1, 2), messages(entries))
}

func TestModuleNameThatIsNoFileName(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, filepath.Join(dir, "logs"))
	write(s, "../press", 1, 1, 1)
	n, err := s.Trouble()
	require.Equal(t, 1, n)
	require.ErrorContains(t, err, `"../press"`)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestConcurrentWriters(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	following := s.Follow(context.Background(), "", 1000)
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() { write(s, []string{"press", "mill"}[i%2], i, 1, 100) })
	}
	writers.Wait()
	for _, module := range []string{"press", "mill"} {
		lines, err := ringfile.Read(dir, module, ringfile.All)
		require.NoError(t, err)
		require.Len(t, lines, 200)
		before := uint64(0)
		for _, line := range lines {
			var e logs.Entry
			require.NoError(t, json.Unmarshal(line, &e))
			require.Greater(t, e.Seq, before, "a file is in order")
			before = e.Seq
		}
	}
	require.NoError(t, s.Close())
	want := uint64(1)
	for e, lost := range following {
		require.Equal(t, want, e.Seq)
		require.Zero(t, lost)
		want++
	}
	require.Equal(t, uint64(401), want)
}
