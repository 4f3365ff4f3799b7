package statedir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/statedir"
)

func openDir(t *testing.T, path string) *statedir.Dir {
	t.Helper()
	d, err := statedir.Open(path)
	require.NoError(t, err)
	return d
}

func TestOpenMakesTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "var", "ixt")
	for range 2 { // made, then found
		d := openDir(t, path)
		require.Equal(t, path, d.Path())
		require.Equal(t, path+"/logs/press.jsonl", d.Path("logs", "press.jsonl"))
		for _, dir := range []string{path, filepath.Dir(path)} {
			info, err := os.Stat(dir)
			require.NoError(t, err)
			require.Equal(t, os.ModeDir|0o700, info.Mode())
		}
		text, err := os.ReadFile(d.Path("version"))
		require.NoError(t, err)
		require.Equal(t, "1\n", string(text))
		require.NoError(t, os.WriteFile(d.Path("kept"), nil, 0o600))
		require.NoError(t, d.Close())
		require.FileExists(t, d.Path("kept"))
	}
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	d := openDir(t, "state")
	t.Chdir("/")
	require.FileExists(t, d.Path("version"))
	require.NoError(t, d.Close())
}

func TestDirectoryInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	other := start(t, path)
	require.Equal(t, path, other.path(t))
	pid := other.command.Process.Pid
	_, err := statedir.Open(path)
	var used *statedir.InUseError
	require.ErrorAs(t, err, &used)
	require.Equal(t, &statedir.InUseError{Path: path, PID: pid}, used)
	require.EqualError(t, err, fmt.Sprintf("state directory %s is in use by the supervisor with pid %d; stop it (kill %d) or give this one "+
		"its own with --state DIR", path, pid, pid))
	other.kill(t)
	d := openDir(t, path)
	_, err = statedir.Open(path)
	require.ErrorAs(t, err, &used)
	require.Equal(t, os.Getpid(), used.PID)
	require.NoError(t, d.Close())
}

func TestOneOfManyGetsTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	var all []*supervisor
	for range 8 {
		all = append(all, start(t, path))
	}
	holders := 0
	for _, s := range all {
		got, failure := s.result(t)
		if failure == "" {
			require.Equal(t, path, got)
			holders++
		} else {
			require.Contains(t, failure, "is in use by")
		}
	}
	require.Equal(t, 1, holders)
}

func TestVersions(t *testing.T) {
	for text, understood := range map[string]bool{"1\n": true, "1": true, "": true, "2\n": false, "10\n": false, "one\n": false} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			path := t.TempDir()
			file := filepath.Join(path, "version")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			for range 2 { // a refusal leaves no lock behind
				d, err := statedir.Open(path)
				if understood {
					require.NoError(t, err)
					require.NoError(t, d.Close())
					continue
				}
				var newer *statedir.VersionError
				require.ErrorAs(t, err, &newer)
				require.ErrorContains(t, err, "written by a newer ixt")
				require.ErrorContains(t, err, "--state DIR")
				after, err := os.ReadFile(file)
				require.NoError(t, err)
				require.Equal(t, text, string(after))
			}
		})
	}
}

func TestUnusablePath(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "blocked", "lock"), 0o700))
	for path, reason := range map[string]error{file: syscall.ENOTDIR, file + "/below": syscall.ENOTDIR, dir + "/blocked": syscall.EISDIR} {
		_, err := statedir.Open(path)
		var unusable *statedir.UnusableError
		require.ErrorAs(t, err, &unusable, path)
		require.Equal(t, path, unusable.Path)
		require.ErrorIs(t, err, reason)
		require.ErrorContains(t, err, path+" cannot be the state directory: ")
		require.ErrorContains(t, err, "name another with --state DIR")
	}
}

func TestTemporary(t *testing.T) {
	base := shortDir(t)
	t.Setenv("TMPDIR", base)
	d, err := statedir.Temporary()
	require.NoError(t, err)
	require.Equal(t, base, filepath.Dir(filepath.Dir(d.Path())))
	require.FileExists(t, d.Path("version"))
	require.NoError(t, os.MkdirAll(d.Path("logs", "more"), 0o700))
	_, err = statedir.Open(d.Path())
	require.ErrorContains(t, err, "is in use")
	require.NoError(t, d.Close())
	require.NoDirExists(t, d.Path())
}

func TestTemporaryOfTheDeadIsRemoved(t *testing.T) {
	t.Setenv("TMPDIR", shortDir(t))
	dead, living := start(t, "temporary"), start(t, "temporary")
	deadPath, livingPath := dead.path(t), living.path(t)
	dead.kill(t)
	require.DirExists(t, deadPath)
	d, err := statedir.Temporary()
	require.NoError(t, err)
	require.NoDirExists(t, deadPath)
	require.FileExists(t, filepath.Join(livingPath, "version"))
	require.NoError(t, d.Close())
	living.stop(t)
	require.NoDirExists(t, livingPath)
}
