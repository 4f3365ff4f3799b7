package statedir_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/statedir"
	"github.com/ixtrun/ixt/ipc"
)

// runtimeDir makes a new XDG_RUNTIME_DIR and returns the base in it.
func runtimeDir(t *testing.T) (base string) {
	t.Helper()
	dir := shortDir(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	base = filepath.Join(dir, "ixt")
	require.Equal(t, base, statedir.RuntimeBase())
	return base
}

func openRun(t *testing.T) *statedir.RunDir {
	t.Helper()
	r, err := statedir.OpenRun()
	require.NoError(t, err)
	return r
}

func TestRuntimeBase(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	long := filepath.Join(dir, strings.Repeat("x", 80))
	require.NoError(t, os.Mkdir(long, 0o700))
	mine := fmt.Sprintf("ixt-%d", os.Geteuid())
	for _, test := range []struct{ name, runtime, temporary, want string }{
		{"the session's directory", dir, "/tmp", dir + "/ixt"},
		{"none", "", dir, dir + "/" + mine},
		{"not there", dir + "/none", dir, dir + "/" + mine},
		{"a file", file, dir, dir + "/" + mine},
		{"relative", ".", dir, dir + "/" + mine},
		{"too long", long, dir, dir + "/" + mine},
		{"both too long", long, long, "/tmp/" + mine},
		{"temporary one not there", "", dir + "/none", "/tmp/" + mine},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("XDG_RUNTIME_DIR", test.runtime)
			t.Setenv("TMPDIR", test.temporary)
			require.Equal(t, test.want, statedir.RuntimeBase())
			require.NoDirExists(t, dir+"/ixt")
			require.NoDirExists(t, dir+"/"+mine)
		})
	}
}

func TestRuntimeBaseOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	dir := shortDir(t)
	require.NoError(t, os.Chown(dir, 65534, -1))
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("TMPDIR", "/tmp")
	require.Equal(t, "/tmp/ixt-0", statedir.RuntimeBase())
}

func TestRunDir(t *testing.T) {
	base := runtimeDir(t)
	r := openRun(t)
	require.Equal(t, base, filepath.Dir(r.Path()))
	for _, dir := range []string{base, r.Path()} {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, os.ModeDir|0o700, info.Mode())
	}
	l, err := net.Listen("unix", r.Socket("press-001"))
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoDirExists(t, r.Path())
	require.NoError(t, l.Close())
	require.Empty(t, r.Swept())
	require.Empty(t, openAndClose(t), "what was closed left nothing")
}

func openAndClose(t *testing.T) (swept []string) {
	t.Helper()
	r := openRun(t)
	require.NoError(t, r.Close())
	return r.Swept()
}

func TestSocketsAreShortAndDistinct(t *testing.T) {
	dir := shortDir(t)
	long := filepath.Join(dir, strings.Repeat("x", 60-len(dir)-1)) // the base is as long as may be
	require.NoError(t, os.Mkdir(long, 0o700))
	t.Setenv("XDG_RUNTIME_DIR", long)
	require.Equal(t, long+"/ixt", statedir.RuntimeBase())
	r := openRun(t)
	seen := map[string]string{}
	for _, name := range []string{
		"press-001", "press-002", strings.Repeat("a", 44), strings.Repeat("a", 45), strings.Repeat("b", 300), "../press-001", "a/b", "a\x00b", "", ".", "größe",
	} {
		path := r.Socket(name)
		require.LessOrEqual(t, len(path), ipc.MaxSocketPath)
		require.Equal(t, r.Path(), filepath.Dir(path))
		require.Equal(t, path, r.Socket(name))
		require.NotContains(t, seen, path, "%q", name)
		seen[path] = name
		l, err := net.Listen("unix", path)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
	require.Equal(t, r.Path()+"/press-001.sock", r.Socket("press-001"))
	require.NoError(t, r.Close())
}

func TestOnlyTheDeadAreSwept(t *testing.T) {
	base := runtimeDir(t)
	dead, living := start(t, "run"), start(t, "run")
	deadPath, livingPath := dead.path(t), living.path(t)
	mine := openRun(t)
	require.Empty(t, mine.Swept())
	dead.kill(t)
	require.FileExists(t, filepath.Join(deadPath, "press-001.sock"))

	bystanders := []string{"admin.sock", "admin.sock.lock", "another/lock", "abcdef/file", "backup"}
	for _, name := range bystanders {
		path := filepath.Join(base, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	}
	require.NoError(t, os.Symlink(livingPath, filepath.Join(base, "link23")))
	halfMade := filepath.Join(base, "ghijkl")
	require.NoError(t, os.Mkdir(halfMade, 0o700))

	next := openRun(t)
	require.ElementsMatch(t, []string{deadPath, halfMade}, next.Swept())
	require.NoDirExists(t, deadPath)
	require.FileExists(t, filepath.Join(livingPath, "press-001.sock"))
	require.DirExists(t, mine.Path())
	for _, name := range bystanders {
		require.FileExists(t, filepath.Join(base, name))
	}
	require.NoError(t, next.Close())
	require.NoError(t, mine.Close())
	living.stop(t)
	require.NoDirExists(t, livingPath)
}

// Many make and sweep at once, and as many die meanwhile. None may lose its directory to another while it lives.
func TestManyAtOnce(t *testing.T) {
	base := runtimeDir(t)
	begin := func() (out []*supervisor) {
		for range 6 {
			out = append(out, start(t, "run"))
		}
		return out
	}
	doomed, living := begin(), begin()
	for _, s := range doomed {
		s.path(t)
		s.kill(t)
	}
	living = append(living, begin()...)
	var paths []string
	for _, s := range living {
		paths = append(paths, s.path(t))
	}
	mine := openRun(t)
	for _, path := range paths {
		require.FileExists(t, filepath.Join(path, "press-001.sock"))
	}
	left, err := os.ReadDir(base)
	require.NoError(t, err)
	require.Len(t, left, 1+len(living)+1, "the gate, the living and mine")
	for _, s := range living {
		s.stop(t)
	}
	require.NoError(t, mine.Close())
	left, err = os.ReadDir(base)
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestUnsafeBase(t *testing.T) {
	for _, test := range []struct {
		name   string
		make   func(base string) error
		reason string
	}{
		{"file", func(base string) error { return os.WriteFile(base, nil, 0o600) }, "is not a directory"},
		{"link", func(base string) error { return os.Symlink(filepath.Dir(base), base) }, "is not a directory"},
		{"open to all", func(base string) error { return makeDir(base, 0o777) }, "can be written by others (mode 0777)"},
		{"open to the group", func(base string) error { return makeDir(base, 0o770) }, "can be written by others (mode 0770)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			base := runtimeDir(t)
			require.NoError(t, test.make(base))
			_, err := statedir.OpenRun()
			var unsafe *statedir.UnsafeError
			require.ErrorAs(t, err, &unsafe)
			require.Equal(t, &statedir.UnsafeError{Path: base, Reason: test.reason}, unsafe)
			require.ErrorContains(t, err, "name another place with XDG_RUNTIME_DIR or TMPDIR")
		})
	}
}

func TestBaseOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	base := runtimeDir(t)
	require.NoError(t, makeDir(base, 0o700))
	require.NoError(t, os.Chown(base, 65534, -1))
	_, err := statedir.OpenRun()
	var unsafe *statedir.UnsafeError
	require.ErrorAs(t, err, &unsafe)
	require.Equal(t, "belongs to user 65534", unsafe.Reason)
}

func TestBaseThatOthersMayOnlyRead(t *testing.T) {
	base := runtimeDir(t)
	require.NoError(t, makeDir(base, 0o750))
	require.Empty(t, openAndClose(t))
	info, err := os.Stat(base)
	require.NoError(t, err)
	require.Equal(t, os.ModeDir|0o750, info.Mode(), "the admin socket's group needs it")
}

// makeDir is os.Mkdir that the umask does not change.
func makeDir(path string, mode os.FileMode) error {
	if err := os.Mkdir(path, mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
