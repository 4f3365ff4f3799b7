package ringfile_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/ringfile"
)

func TestDamageIsMended(t *testing.T) {
	for _, test := range []struct {
		name, content string
		kept          []int
	}{
		{"nothing", "", []int{9}},
		{"whole", `{"n":1}` + "\n", []int{1, 9}},
		{"torn", `{"n":1}` + "\n" + `{"n":2,"te`, []int{1, 9}},
		{"only the newline torn off", `{"n":1}`, []int{1, 9}},
		{"zeros after a power failure", `{"n":1}` + "\n\x00\x00\x00\x00", []int{1, 9}},
		{"garbage between", `{"n":1}` + "\n\xff\xfe}\n\n\n" + `{"n":2}` + "\n", []int{1, 2, 9}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log.jsonl")
			require.NoError(t, os.WriteFile(path, []byte(test.content), 0o600))
			f := open(t, filepath.Dir(path), nil)
			fill(t, f, 9, 9, 50)
			require.Equal(t, test.kept, tail(t, f, ringfile.All))
			require.Equal(t, test.kept[max(0, len(test.kept)-2):], tail(t, f, 2), "damaged lines do not count")
		})
	}
}

func TestInterruptedRotation(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"log.2": `{"n":3}`, "log.4": `{"n":2}`, "log.7": `{"n":1}`, "log.9": `{"n":0}`} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".jsonl"), []byte(text+"\n"), 0o600))
	}
	f := open(t, dir, nil)
	fill(t, f, 4, 4, 8)
	require.Equal(t, sequence(1, 4), tail(t, f, ringfile.All))
	require.Equal(t, map[string]int64{"log.jsonl": 17, "log.1.jsonl": 8, "log.2.jsonl": 8, "log.3.jsonl": 8}, sizes(t, dir))
}

func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("the system has no /dev/full")
	}
	path := filepath.Join(t.TempDir(), "log.jsonl")
	require.NoError(t, os.Symlink("/dev/full", path))
	f := open(t, filepath.Dir(path), nil)
	for n := 1; n <= 3; n++ {
		err := f.Append(line(n, 50))
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, path)
		require.Equal(t, n, f.Dropped())
	}
	require.NoError(t, os.Remove(path))
	fill(t, f, 4, 5, 50)
	require.Equal(t, 3, f.Dropped())
	require.Equal(t, sequence(4, 5), tail(t, f, ringfile.All))
}

// The system takes a part of the line that no longer fits: it must not stay.
func TestDiskThatFillsUp(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), smallDisk+"="+dir)
	output, err := child.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, fullStatus, exit.ExitCode(), "%s", output)
	content, err := os.ReadFile(filepath.Join(dir, "log.jsonl"))
	require.NoError(t, err)
	require.Equal(t, 5, bytes.Count(content, []byte{'\n'}))
	lines, err := ringfile.Read(dir, "log", ringfile.All)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 2, 3, 100}, decode(t, lines))
}

func TestRemovedUnderneath(t *testing.T) {
	for _, test := range []struct {
		name   string
		remove func(dir string) error
	}{
		{"file", func(dir string) error { return os.Remove(filepath.Join(dir, "log.jsonl")) }},
		{"directory", os.RemoveAll},
		{"directory's parent", func(dir string) error { return os.RemoveAll(filepath.Dir(dir)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b")
			f := open(t, dir, &ringfile.Options{MaxSize: 4000})
			fill(t, f, 1, 5, 100)
			require.NoError(t, test.remove(dir))
			require.Empty(t, tail(t, f, ringfile.All))
			fill(t, f, 6, 30, 100)
			require.Zero(t, f.Dropped())
			require.Equal(t, sequence(6, 30), tail(t, f, ringfile.All))
		})
	}
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := ringfile.Open(file, "log", nil)
	require.ErrorIs(t, err, syscall.ENOTDIR)
}

// A directory in a segment's place makes rotation fail; lines are lost only for as long as it stays.
func TestRotationThatFails(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, &ringfile.Options{MaxSize: 4000})
	fill(t, f, 1, 10, 100)
	obstacle := filepath.Join(dir, "log.1.jsonl")
	require.NoError(t, os.MkdirAll(filepath.Join(obstacle, "x"), 0o700))
	require.Error(t, f.Append(line(11, 100)))
	require.Error(t, f.Append(line(12, 100)))
	require.Equal(t, 2, f.Dropped())
	require.NoError(t, os.RemoveAll(obstacle))
	fill(t, f, 13, 14, 100)
	require.Equal(t, append(sequence(1, 10), 13, 14), tail(t, f, ringfile.All))
}
