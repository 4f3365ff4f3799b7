package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// NoSupervisorError says that nobody answers at any of the sockets.
type NoSupervisorError struct{ Tried []string }

func (e *NoSupervisorError) Error() string {
	return "no supervisor running: tried " + strings.Join(e.Tried, ", ") + "; start one with `ixt run DIR`, or call with --modules DIR"
}

// PermissionError says that there is a socket, for others.
type PermissionError struct{ Path string }

// Error names the user and the group to whom the socket belongs, or the directory on the way that is closed.
func (e *PermissionError) Error() string {
	path := e.Path
	info, err := os.Stat(path)
	for err != nil && filepath.Dir(path) != path {
		path = filepath.Dir(path)
		info, err = os.Stat(path)
	}
	text := "no permission to use the supervisor's socket " + e.Path
	if err != nil {
		return text
	}
	uid, gid := owners(info)
	owner, group := userName(uid), groupName(gid)
	if info.Mode().Perm()&0o060 == 0 {
		return fmt.Sprintf("%s: %s is for user %s alone; run ixt as that user, or let a group in with [admin] group in supervisor.toml",
			text, path, owner)
	}
	return fmt.Sprintf("%s: %s is for user %s and group %s; ask to be put into that group (`sudo usermod -aG %s NAME`), and log in again",
		text, path, owner, group, group)
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

func groupName(gid int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}

// dial connects to the first of paths where someone answers.
func dial(ctx context.Context, paths []string) (net.Conn, error) {
	var dialer net.Dialer
	var denied error
	for _, path := range paths {
		if squatted(path) {
			continue
		}
		conn, err := dialer.DialContext(ctx, "unix", path)
		switch {
		case err == nil:
			return conn, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, fs.ErrPermission) && denied == nil:
			denied = &PermissionError{path}
		}
	}
	if denied != nil {
		return nil, denied
	}
	return nil, &NoSupervisorError{paths}
}

// squatted reports whether another user has taken our place in the directory where everybody may write.
func squatted(path string) bool {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	if err != nil || filepath.Dir(dir) != "/tmp" {
		return false
	}
	uid, _ := owners(info)
	return uid != 0 && uid != os.Getuid()
}
