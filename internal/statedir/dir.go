package statedir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/ixtrun/ixt/internal/process"
)

// version is how the files in a state directory are laid out.
const version = 1

// Dir is a state directory that this process holds. Its methods are safe for concurrent use, except Close.
type Dir struct {
	path  string
	close func() error
}

// InUseError says that another supervisor has the state directory, or this process has it already.
type InUseError struct {
	Path string
	PID  int // 0 if it is not known
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("state directory %s is in use by another supervisor; stop it or give this one its own with --state DIR", e.Path)
	}
	return fmt.Sprintf("state directory %s is in use by the supervisor with pid %d; stop it (kill %d) or give this one its own with --state DIR",
		e.Path, e.PID, e.PID)
}

// VersionError says that the state directory is not one that this program understands.
type VersionError struct {
	Path  string
	Found string // what its version file says
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("state directory %s was written by a newer ixt (its version is %q, this one knows %d); "+
		"use that ixt, or give this one its own with --state DIR", e.Path, e.Found, version)
}

// UnusableError says that the path cannot be a state directory: it is a file, say, or not writable.
type UnusableError struct {
	Path string
	Err  error
}

func (e *UnusableError) Error() string {
	remedy := "name another with --state DIR"
	if errors.Is(e.Err, fs.ErrPermission) {
		remedy = fmt.Sprintf("let user %d write there, or %s", os.Geteuid(), remedy)
	}
	return fmt.Sprintf("%s cannot be the state directory: %v; %s", e.Path, e.Err, remedy)
}

// Unwrap returns what the system said.
func (e *UnusableError) Unwrap() error { return e.Err }

// Open takes the state directory at path, which it makes (0700, as are missing parents). The error is an *InUseError, a
// *VersionError or an *UnusableError.
func Open(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, &UnusableError{path, err}
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, &UnusableError{path, err}
	}
	lock, err := process.LockFile(filepath.Join(path, lockName))
	var held *process.LockedError
	if errors.As(err, &held) {
		return nil, &InUseError{path, held.PID}
	}
	if err != nil {
		return nil, &UnusableError{path, err}
	}
	if err := checkVersion(path); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &Dir{path, lock.Unlock}, nil
}

// Temporary makes a state directory of its own, which Close removes with all that is in it. If this process dies instead,
// the next call of Temporary by the same user does.
func Temporary() (*Dir, error) {
	c, err := stake(temporaryBase())
	if err != nil {
		return nil, fmt.Errorf("making a temporary state directory: %w", err)
	}
	if err := checkVersion(c.path); err != nil {
		return nil, errors.Join(err, c.release())
	}
	return &Dir{c.path, c.release}, nil
}

// Path returns the path of something in the directory, or of the directory itself.
func (d *Dir) Path(elem ...string) string { return filepath.Join(append([]string{d.path}, elem...)...) }

// Close gives the directory free for others, or removes it if it is a temporary one. It is called once.
func (d *Dir) Close() error {
	if err := d.close(); err != nil {
		return fmt.Errorf("closing the state directory: %w", err)
	}
	return nil
}

// checkVersion reads the version of a locked state directory; one that has none yet gets ours.
func checkVersion(path string) error {
	file := filepath.Join(path, "version")
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &UnusableError{path, err}
	}
	found := string(bytes.TrimSpace(text))
	switch found {
	case strconv.Itoa(version):
		return nil
	case "": // new, or its maker was cut off
	default:
		return &VersionError{path, found}
	}
	if err := os.WriteFile(file, fmt.Appendln(nil, version), 0o600); err != nil {
		return &UnusableError{path, err}
	}
	return nil
}

// temporaryBase is where temporary state directories are.
func temporaryBase() string { return filepath.Join(os.TempDir(), userName()) }

// userName is what this user's directories are called among those of others.
func userName() string { return fmt.Sprintf("ixt-%d", os.Geteuid()) }

// owner is the user a file belongs to, -1 if the system does not say.
func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
