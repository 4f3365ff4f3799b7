package ringfile_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/ringfile"
)

// line is a JSON line with a number, size bytes long with its newline if it can be.
func line(n, size int) []byte {
	text := fmt.Sprintf(`{"n":%d,"pad":""}`, n)
	return []byte(strings.Replace(text, `""`, `"`+strings.Repeat("x", max(0, size-len(text)-1))+`"`, 1))
}

func open(t *testing.T, dir string, opts *ringfile.Options) *ringfile.File {
	t.Helper()
	f, err := ringfile.Open(dir, "log", opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func fill(t *testing.T, f *ringfile.File, from, to, size int) {
	t.Helper()
	for n := from; n <= to; n++ {
		require.NoError(t, f.Append(line(n, size)))
	}
}

func decode(t *testing.T, lines [][]byte) []int {
	t.Helper()
	out := []int{}
	for _, l := range lines {
		var v struct{ N int }
		require.NoError(t, json.Unmarshal(l, &v))
		out = append(out, v.N)
	}
	return out
}

func tail(t *testing.T, f *ringfile.File, n int) []int {
	t.Helper()
	lines, err := f.Tail(n)
	require.NoError(t, err)
	return decode(t, lines)
}

func sequence(from, to int) []int {
	out := []int{}
	for n := from; n <= to; n++ {
		out = append(out, n)
	}
	return out
}

// sizes returns the bytes of each file of the directory.
func sizes(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	out := map[string]int64{}
	for _, file := range files {
		info, err := file.Info()
		require.NoError(t, err)
		out[file.Name()] = info.Size()
	}
	return out
}

func TestTail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	f := open(t, dir, &ringfile.Options{MaxSize: 4000})
	require.Empty(t, tail(t, f, 10))
	fill(t, f, 1, 30, 100) // three segments
	for _, test := range []struct{ n, from int }{{-1, 31}, {0, 31}, {1, 30}, {9, 22}, {11, 20}, {30, 1}, {ringfile.All, 1}} {
		require.Equal(t, sequence(test.from, 30), tail(t, f, test.n), "%d lines", test.n)
	}
	for path, mode := range map[string]fs.FileMode{dir: 0o700, dir + "/log.jsonl": 0o600, dir + "/log.2.jsonl": 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
}

func TestReopenedRingGoesOn(t *testing.T) {
	dir := t.TempDir()
	f, err := ringfile.Open(dir, "log", &ringfile.Options{MaxSize: 4000})
	require.NoError(t, err)
	fill(t, f, 1, 15, 100)
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	require.ErrorIs(t, f.Append(line(16, 100)), fs.ErrClosed)
	require.Equal(t, 1, f.Dropped())
	again := open(t, dir, &ringfile.Options{MaxSize: 4000})
	fill(t, again, 16, 20, 100)
	require.Equal(t, sequence(1, 20), tail(t, again, ringfile.All))
	require.Equal(t, map[string]int64{"log.jsonl": 1000, "log.1.jsonl": 1000}, sizes(t, dir))
}

func TestSizeIsBounded(t *testing.T) {
	for _, test := range []struct {
		segments, size int
		kept           int // lines at least
	}{{1, 100, 1}, {2, 100, 20}, {4, 100, 30}, {4, 99, 30}, {4, 1500, 2}, {4, 4000, 1}} {
		t.Run(fmt.Sprintf("%d segments, lines of %d", test.segments, test.size), func(t *testing.T) {
			dir := t.TempDir()
			f := open(t, dir, &ringfile.Options{MaxSize: 4000, Segments: test.segments})
			for n := 1; n <= 200; n++ {
				require.NoError(t, f.Append(line(n, test.size)))
				var total int64
				all := sizes(t, dir)
				for _, size := range all {
					total += size
				}
				require.LessOrEqual(t, total, int64(4000))
				require.LessOrEqual(t, len(all), test.segments)
				kept := tail(t, f, ringfile.All)
				require.GreaterOrEqual(t, len(kept), min(n, test.kept))
				require.Equal(t, sequence(n-len(kept)+1, n), kept)
			}
		})
	}
}

func TestLineLongerThanTheRing(t *testing.T) {
	f := open(t, t.TempDir(), &ringfile.Options{MaxSize: 4000})
	fill(t, f, 1, 2, 100)
	require.ErrorIs(t, f.Append(line(3, 4001)), ringfile.ErrTooLong)
	require.Equal(t, 1, f.Dropped())
	require.Equal(t, sequence(1, 2), tail(t, f, ringfile.All))
}

func TestLongLinesAreReadBack(t *testing.T) {
	f := open(t, t.TempDir(), nil)
	fill(t, f, 1, 3, 200<<10)
	fill(t, f, 4, 5, 10)
	require.Equal(t, sequence(1, 5), tail(t, f, ringfile.All))
	require.Equal(t, sequence(3, 5), tail(t, f, 3))
}

// A clock that the test moves.
type clock struct{ now time.Time }

func (c *clock) time() time.Time { return c.now }

func TestAgeIsBounded(t *testing.T) {
	c := &clock{time.Now()}
	f := open(t, t.TempDir(), &ringfile.Options{MaxAge: 4 * time.Hour, Now: c.time})
	for n := 1; n <= 100; n++ { // a line every six minutes
		c.now = c.now.Add(6 * time.Minute)
		require.NoError(t, f.Append(line(n, 50)))
		kept := tail(t, f, ringfile.All)
		require.Equal(t, sequence(n-len(kept)+1, n), kept)
		require.LessOrEqual(t, len(kept), 41)
		require.GreaterOrEqual(t, len(kept), min(n, 29))
	}
	c.now = c.now.Add(5 * time.Hour)
	require.NoError(t, f.Append(line(101, 50)))
	require.Equal(t, []int{101}, tail(t, f, ringfile.All))
}

func TestOldLinesFallOffWhenOpened(t *testing.T) {
	now := time.Now()
	stamped := func(ago time.Duration) string {
		return fmt.Sprintf(`{"n":1,"time":%q}`+"\n", now.Add(-ago).Format(time.RFC3339Nano))
	}
	for _, test := range []struct {
		name    string
		content string
		changed time.Duration // ago
		kept    int
	}{
		{"young", stamped(time.Hour), time.Hour, 1},
		{"old", stamped(5 * time.Hour), 5 * time.Hour, 0},
		{"old by its first line alone", stamped(5*time.Hour) + stamped(time.Minute), time.Minute, 0},
		{"old by its change alone", `{"n":1}` + "\n", 5 * time.Hour, 0},
		{"from the future", stamped(-99 * time.Hour), time.Minute, 1},
		{"its first line torn", "{\"n\n{\"n\":1}\n", time.Minute, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log.jsonl")
			require.NoError(t, os.WriteFile(path, []byte(test.content), 0o600))
			require.NoError(t, os.Chtimes(path, time.Time{}, now.Add(-test.changed)))
			f := open(t, filepath.Dir(path), &ringfile.Options{MaxAge: 4 * time.Hour})
			require.Len(t, tail(t, f, ringfile.All), test.kept)
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, &ringfile.Options{MaxSize: 20_000})
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	next := make(chan int)
	for range 4 {
		writers.Go(func() {
			for n := range next {
				if err := f.Append(line(n, 100)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			lines, err := ringfile.Read(dir, "log", ringfile.All) // as another process does
			if err != nil {
				t.Error(err)
				return
			}
			seen := map[string]bool{}
			for _, l := range lines {
				if seen[string(l)] {
					t.Errorf("twice: %s", l)
				}
				seen[string(l)] = true
			}
		}
	})
	for n := range 1000 {
		next <- n
	}
	close(next)
	writers.Wait()
	close(done)
	readers.Wait()
	require.Zero(t, f.Dropped())
	require.GreaterOrEqual(t, len(tail(t, f, ringfile.All)), 150)
}

func TestNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.jsonl", "a.jsonl", "a.1.jsonl", "c.2.jsonl", "d.txt", "e.x.jsonl", ".jsonl", "f.01.jsonl"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	names, err := ringfile.Names(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, names)
	names, err = ringfile.Names(filepath.Join(dir, "none"))
	require.NoError(t, err)
	require.Empty(t, names)
	for _, name := range []string{"", ".", "..", "a/b", "a.1", "../a"} {
		_, err := ringfile.Open(dir, name, nil)
		require.ErrorContains(t, err, "use a file name without a dot", "%q", name)
	}
}
