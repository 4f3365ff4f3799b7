package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/ixtrun/ixt/internal/process"
	"github.com/ixtrun/ixt/ipc"
)

// EnvSocket is the environment variable that names the socket where no flag does.
const EnvSocket = "IXT_ADMIN_SOCKET"

// SocketPaths returns where the socket may be, best first: the path of the command line alone if there is one, else that of
// [EnvSocket], else that of supervisor.toml, else the places of a user, of a machine and of a user without a session. A
// server takes the first it can use, a client the first that answers.
func SocketPaths(flag, configured string) []string {
	for _, path := range []string{flag, os.Getenv(EnvSocket), configured} {
		if path != "" {
			return []string{path}
		}
	}
	var paths []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		paths = append(paths, filepath.Join(dir, "ixt", "admin.sock"))
	}
	return append(paths, "/run/ixt/admin.sock", fmt.Sprintf("/tmp/ixt-%d/admin.sock", os.Getuid()))
}

// InUseError says that another supervisor answers at the socket.
type InUseError struct{ Path string }

func (e *InUseError) Error() string {
	return "a supervisor already answers at " + e.Path + "; stop it, or give this one another socket with --socket"
}

// Listen opens the socket at the first of paths where that is possible and removes it again when the listener is closed.
// Only the own user may use it, and the members of group unless that is "". What a dead supervisor left at the path is
// replaced; a living one there is an [InUseError].
func Listen(paths []string, group string) (net.Listener, error) {
	gid := -1
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return nil, fmt.Errorf("group of the admin socket: %w; name a group that exists under [admin] group", err)
		}
		if gid, err = strconv.Atoi(g.Gid); err != nil {
			return nil, fmt.Errorf("group of the admin socket: %w", err)
		}
	}
	var errs []error
	for _, path := range paths {
		l, err := listen(path, gid)
		var used *InUseError
		if err == nil || errors.As(err, &used) {
			return l, err
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("opening the admin socket: %w; name another place with --socket", errors.Join(errs...))
}

// listener holds a lock beside its socket for as long as it lives; that lock, not the socket, says who is alive.
type listener struct {
	*net.UnixListener
	lock *process.Lock
	path string // of the lock
}

func (l *listener) Close() error {
	return errors.Join(l.UnixListener.Close(), os.Remove(l.path), l.lock.Unlock())
}

func listen(path string, gid int) (net.Listener, error) {
	if len(path) > ipc.MaxSocketPath {
		return nil, fmt.Errorf("%s is longer than the %d bytes a socket's path may have", path, ipc.MaxSocketPath)
	}
	if err := makeDir(filepath.Dir(path), gid); err != nil {
		return nil, err
	}
	lock, err := process.LockFile(path + ".lock")
	var held *process.LockedError
	if errors.As(err, &held) {
		return nil, &InUseError{path}
	}
	if err != nil {
		return nil, err
	}
	l, err := bind(path, gid)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &listener{l, lock, path + ".lock"}, nil
}

// bind opens the socket in place of one that a dead supervisor left. The caller holds the lock.
func bind(path string, gid int) (*net.UnixListener, error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is there and is not a socket", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		return nil, err
	}
	if err := restrict(path, gid, 0o600, 0o660); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// makeDir creates the socket's directory, if it has to, for those who may use the socket. One that is there stays as it is.
func makeDir(dir string, gid int) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		return restrict(dir, gid, 0o700, 0o750)
	case errors.Is(err, fs.ErrExist):
		return trusted(dir)
	default:
		return err
	}
}

// trusted refuses a directory in which another user could replace the socket.
func trusted(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	owner, _ := owners(info)
	foreign := owner != 0 && owner != os.Getuid()
	open := info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0
	if foreign || open {
		return fmt.Errorf("other users can write to %s (%s)", dir, info.Mode())
	}
	return nil
}

// restrict gives a path the mode for its owner alone, or the one for its owner and the group.
func restrict(path string, gid int, alone, shared fs.FileMode) error {
	if gid < 0 {
		return os.Chmod(path, alone)
	}
	return errors.Join(os.Chown(path, -1, gid), os.Chmod(path, shared))
}

// owners returns the user and the group a file belongs to.
func owners(info fs.FileInfo) (uid, gid int) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), int(stat.Gid)
	}
	return -1, -1
}
