package admin_test

import (
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/admin"
)

func TestSocketPaths(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	t.Setenv(admin.EnvSocket, "")
	own := "/tmp/ixt-" + me(t).Uid + "/admin.sock"
	require.Equal(t, []string{"/run/user/7/ixt/admin.sock", "/run/ixt/admin.sock", own}, admin.SocketPaths("", ""))
	require.Equal(t, []string{"/c"}, admin.SocketPaths("", "/c"))
	t.Setenv(admin.EnvSocket, "/e")
	require.Equal(t, []string{"/e"}, admin.SocketPaths("", "/c"))
	require.Equal(t, []string{"/f"}, admin.SocketPaths("/f", "/c"))
	t.Setenv(admin.EnvSocket, "")
	t.Setenv("XDG_RUNTIME_DIR", "")
	require.Equal(t, []string{"/run/ixt/admin.sock", own}, admin.SocketPaths("", ""))
}

func me(t *testing.T) *user.User {
	u, err := user.Current()
	require.NoError(t, err)
	return u
}

func TestListen(t *testing.T) {
	dir := filepath.Join(shortDir(t), "ixt")
	path := filepath.Join(dir, "admin.sock")
	first, err := admin.Listen([]string{path}, "")
	require.NoError(t, err)
	require.Equal(t, path, first.Addr().String())
	require.Equal(t, fs.FileMode(0o700), mode(t, dir))
	require.Equal(t, fs.FileMode(0o600), mode(t, path))

	_, err = admin.Listen([]string{path, filepath.Join(dir, "other.sock")}, "")
	require.EqualError(t, err, "a supervisor already answers at "+path+"; stop it, or give this one another socket with --socket")

	require.NoError(t, first.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestListenReplacesWhatADeadSupervisorLeft(t *testing.T) {
	path := filepath.Join(shortDir(t), "admin.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())
	require.NoError(t, os.WriteFile(path+".lock", []byte("12345\n"), 0o600))

	l, err := admin.Listen([]string{path}, "")
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestListenForAGroup(t *testing.T) {
	group, err := user.LookupGroupId(me(t).Gid)
	require.NoError(t, err)
	dir := filepath.Join(shortDir(t), "ixt")
	path := filepath.Join(dir, "admin.sock")
	l, err := admin.Listen([]string{path}, group.Name)
	require.NoError(t, err)
	defer l.Close()
	require.Equal(t, fs.FileMode(0o750), mode(t, dir))
	require.Equal(t, fs.FileMode(0o660), mode(t, path))

	_, err = admin.Listen([]string{path}, "no-such-group")
	require.ErrorContains(t, err, "name a group that exists under [admin] group")
}

func TestListenTakesTheFirstPlaceItCan(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("kept"), 0o600))
	open := filepath.Join(dir, "open")
	require.NoError(t, os.Mkdir(open, 0o700))
	require.NoError(t, os.Chmod(open, 0o777)) // in spite of the umask
	bad := []string{
		filepath.Join(file, "admin.sock"), // below a file
		file,                              // a file
		filepath.Join(open, "admin.sock"), // where others may write
		filepath.Join(dir, strings.Repeat("x", 99)), // too long
	}
	_, err := admin.Listen(bad, "")
	for _, text := range []string{"file is not a directory", "file is there and is not a socket", "other users can write to", "103 bytes", "--socket"} {
		require.ErrorContains(t, err, text)
	}
	good := filepath.Join(dir, "admin.sock")
	l, err := admin.Listen(append(bad, good), "")
	require.NoError(t, err)
	require.Equal(t, good, l.Addr().String())
	require.NoError(t, l.Close())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "kept", string(text))
}

func mode(t *testing.T, path string) fs.FileMode {
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

func TestNobodyAnswers(t *testing.T) {
	dir := shortDir(t)
	client := admin.NewClient([]string{dir + "/a", dir + "/b"})
	_, err := client.Modules(t.Context())
	var nobody *admin.NoSupervisorError
	require.ErrorAs(t, err, &nobody)
	require.EqualError(t, err, "no supervisor running: tried "+dir+"/a, "+dir+"/b; start one with `ixt run DIR`, or call with --modules DIR")
	_, err = client.Call(t.Context(), admin.CallRequest{Topic: "x"})
	require.ErrorAs(t, err, &nobody)
}

func TestPermissionErrorNamesWhoMay(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "admin.sock")
	denied := &admin.PermissionError{Path: path}
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.EqualError(t, denied, "no permission to use the supervisor's socket "+path+": "+path+" is for user "+me(t).Username+
		" alone; run ixt as that user, or let a group in with [admin] group in supervisor.toml")

	group, err := user.LookupGroupId(me(t).Gid)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(path, 0o660))
	require.ErrorContains(t, denied, "and group "+group.Name+"; ask to be put into that group (`sudo usermod -aG "+group.Name+" NAME`)")
}
