package crash_test

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/crash"
)

var moment = time.Date(2026, 11, 21, 10, 15, 2, 123456789, time.UTC)

func report(module string) crash.Report {
	return crash.Report{Head: crash.Head{
		Time: moment, Module: module, Version: "2.4.1", Instance: 1, PID: 4711, UptimeMS: 200_000,
		Cause: crash.Cause{Kind: crash.KindExit, Code: 2}, Why: "exit 2: panic: <boom>",
	}}
}

func add(t *testing.T, s *crash.Store, modules ...string) (ids []string) {
	t.Helper()
	for _, module := range modules {
		id, err := s.Add(report(module))
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}

func list(t *testing.T, d crash.Dir, module string) (ids []string) {
	t.Helper()
	heads, err := d.List(module)
	require.NoError(t, err)
	for _, head := range heads {
		require.Empty(t, head.Damaged)
		ids = append(ids, head.ID)
	}
	return ids
}

// files are the names of all that is in a directory.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestNumbersGoOn(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, []string{"0001-press", "0002-mill"}, add(t, crash.Open(dir, nil), "press", "mill"))
	s := crash.Open(dir, nil)
	require.Equal(t, []string{"0003-press"}, add(t, s, "press"))
	require.NoError(t, os.RemoveAll(dir))
	require.Equal(t, []string{"0004-press"}, add(t, s, "press"), "somebody who frees the disk makes no number twice")
	require.NoError(t, os.Rename(filepath.Join(dir, "0004-press.json"), filepath.Join(dir, "9999-press.json")))
	require.Equal(t, []string{"10000-press"}, add(t, s, "press"))
	require.Equal(t, []string{"10000-press", "9999-press"}, list(t, s.Dir, ""), "in order of numbers, not of letters")
}

func TestLimits(t *testing.T) {
	one := func(t *testing.T) int64 {
		dir := t.TempDir()
		id := add(t, crash.Open(dir, nil), "press")[0]
		info, err := os.Stat(filepath.Join(dir, id+".json"))
		require.NoError(t, err)
		return info.Size()
	}(t)
	tests := map[string]struct {
		limits crash.Limits
		kept   []string
	}{
		"by number": {crash.Limits{Reports: 3}, []string{"0009-press", "0008-press", "0007-press"}},
		"by bytes":  {crash.Limits{Bytes: 2*one + one/2}, []string{"0009-press", "0008-press"}},
		"exactly":   {crash.Limits{Bytes: 2 * one}, []string{"0009-press", "0008-press"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := crash.Open(t.TempDir(), &test.limits)
			for range 9 {
				add(t, s, "press")
			}
			require.Equal(t, test.kept, list(t, s.Dir, ""))
			require.Len(t, files(t, string(s.Dir)), len(test.kept))
		})
	}
	t.Run("a report that is too large", func(t *testing.T) {
		dir := t.TempDir()
		add(t, crash.Open(dir, nil), "press")
		id, err := crash.Open(dir, &crash.Limits{Bytes: one - 1}).Add(report("press"))
		require.ErrorContains(t, err, "allow more with state.max")
		require.Empty(t, id)
		require.Equal(t, []string{"0001-press.json"}, files(t, dir))
	})
	t.Run("the defaults", func(t *testing.T) {
		s := crash.Open(t.TempDir(), nil)
		for range crash.DefaultReports + 1 {
			add(t, s, "press")
		}
		require.Len(t, list(t, s.Dir, ""), crash.DefaultReports)
	})
}

func TestHalfWrittenReportsAreSwept(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "new.tmp"), []byte(`{"id":`), 0o600))
	_, err := crash.Dir(dir).List("")
	require.NoError(t, err)
	require.Equal(t, []string{"new.tmp"}, files(t, dir), "who only reads changes nothing")
	crash.Open(dir, nil)
	require.Empty(t, files(t, dir))
}

// A full disk costs the new report and nothing else.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("the system has no /dev/full")
	}
	dir := t.TempDir()
	s := crash.Open(dir, &crash.Limits{Reports: 2})
	add(t, s, "press", "press")
	require.NoError(t, os.Symlink("/dev/full", filepath.Join(dir, "new.tmp")))
	id, err := s.Add(report("mill"))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "crash report of mill: ")
	require.Empty(t, id)
	require.Equal(t, []string{"0001-press.json", "0002-press.json"}, files(t, dir))
	require.Equal(t, []string{"0003-mill"}, add(t, s, "mill"))
	require.Equal(t, []string{"0003-mill", "0002-press"}, list(t, s.Dir, ""))
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	s := crash.Open(file, nil)
	_, err := s.Add(report("press"))
	require.ErrorIs(t, err, syscall.ENOTDIR)
	_, err = s.List("")
	require.ErrorIs(t, err, syscall.ENOTDIR)
	_, err = s.Get("1")
	require.ErrorIs(t, err, syscall.ENOTDIR)
}

func TestModuleNameThatIsNoFileName(t *testing.T) {
	dir := t.TempDir()
	for _, module := range []string{"../press", "", "a/b", "a\x00b"} {
		_, err := crash.Open(filepath.Join(dir, "crashes"), nil).Add(report(module))
		require.ErrorContains(t, err, "cannot be part of a file's name", module)
	}
	require.Empty(t, files(t, dir))
}

func TestOldReportThatCannotGo(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "0001-press.json", "x"), 0o700))
	s := crash.Open(dir, &crash.Limits{Reports: 1})
	id, err := s.Add(report("press"))
	require.Error(t, err)
	require.Equal(t, "0002-press", id)
	_, err = s.Get(id)
	require.NoError(t, err)
}

func TestConcurrentUse(t *testing.T) {
	s := crash.Open(t.TempDir(), &crash.Limits{Reports: 5})
	var all sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for i := range 4 {
		all.Go(func() {
			for range 25 {
				id, err := s.Add(report([]string{"press", "mill"}[i%2]))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				ids[id] = true
				mu.Unlock()
			}
		})
		all.Go(func() {
			for range 25 {
				heads, err := s.List("")
				if err != nil {
					t.Error(err)
				}
				for _, head := range heads {
					if head.Damaged != "" {
						t.Error(head.Damaged)
					}
				}
				if _, err := s.Get(crash.Last); err != nil && len(heads) > 0 {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.Len(t, ids, 100)
	require.Len(t, list(t, s.Dir, ""), 5)
}
