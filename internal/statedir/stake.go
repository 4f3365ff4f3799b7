package statedir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/ixtrun/ixt/internal/process"
)

const (
	lockName  = "lock"
	nameChars = 6

	// How long to wait for another supervisor that is making or sweeping, which takes it moments.
	gateWait = 10 * time.Second
	gatePoll = 5 * time.Millisecond
)

// claim is a directory of ours in a base that all supervisors of a user share. Its lock is held as long as it is in use.
//
//	BASE/lock          the gate: held while a claim is made, swept or removed, so that none is ever seen half made
//	BASE/<name>/lock   held by the living; free: its holder is dead
type claim struct {
	base, path string
	lock       *process.Lock
	swept      []string // claims of the dead that were removed
}

// stake makes a claim under base and removes those of the dead.
func stake(base string) (_ *claim, err error) {
	if err := secure(base); err != nil {
		return nil, err
	}
	gate, err := enter(base)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gate.Unlock()) }()
	c := &claim{base: base, swept: sweep(base)}
	for c.path == "" {
		path := filepath.Join(base, strings.ToLower(rand.Text()[:nameChars]))
		err := os.Mkdir(path, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c.path = path
	}
	if c.lock, err = process.LockFile(filepath.Join(c.path, lockName)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.path))
	}
	return c, nil
}

// release removes the claim. Should the gate stay shut or be gone, it does so all the same.
func (c *claim) release() error {
	gate, shut := enter(c.base)
	err := errors.Join(os.RemoveAll(c.path), c.lock.Unlock())
	if shut == nil {
		err = errors.Join(err, gate.Unlock())
	}
	return err
}

// enter takes the gate of a base.
func enter(base string) (*process.Lock, error) {
	for deadline := time.Now().Add(gateWait); ; time.Sleep(gatePoll) {
		gate, err := process.LockFile(filepath.Join(base, lockName))
		var held *process.LockedError
		if !errors.As(err, &held) || time.Now().After(deadline) {
			return gate, err
		}
	}
}

var claimName = regexp.MustCompile(fmt.Sprintf(`^[a-z2-7]{%d}$`, nameChars))

// sweep removes the claims of the dead and returns their paths. What cannot be removed is left for the next time. The caller is
// behind the gate.
func sweep(base string) []string {
	entries, err := os.ReadDir(base)
	if err != nil {
		return nil
	}
	var swept []string
	for _, entry := range entries {
		path := filepath.Join(base, entry.Name())
		if entry.IsDir() && claimName.MatchString(entry.Name()) && removeDead(path) {
			swept = append(swept, path)
		}
	}
	return swept
}

// removeDead removes a claim unless its holder lives.
func removeDead(path string) bool {
	file := filepath.Join(path, lockName)
	if _, err := os.Lstat(file); err != nil {
		return os.Remove(path) == nil // its maker died before the lock; what is not empty is not ours
	}
	lock, err := process.LockFile(file)
	if err != nil {
		return false
	}
	removed := os.RemoveAll(path) == nil
	return lock.Unlock() == nil && removed
}

// UnsafeError refuses a base directory in which another user could put sockets of their own in place of ours.
type UnsafeError struct {
	Path   string
	Reason string
}

func (e *UnsafeError) Error() string {
	return fmt.Sprintf("%s %s, so others could take over what is in it; remove it, or name another place with XDG_RUNTIME_DIR or TMPDIR",
		e.Path, e.Reason)
}

// secure makes the base, or checks the one that is there. Others may look into it (the admin socket is for a group), but not
// write.
func secure(base string) error {
	if err := os.Mkdir(base, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w; name another place with XDG_RUNTIME_DIR or TMPDIR", err)
	}
	info, err := os.Lstat(base)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return &UnsafeError{base, "is not a directory"}
	case owner(info) != os.Geteuid():
		return &UnsafeError{base, fmt.Sprintf("belongs to user %d", owner(info))}
	case info.Mode().Perm()&0o022 != 0:
		return &UnsafeError{base, fmt.Sprintf("can be written by others (mode %04o)", info.Mode().Perm())}
	}
	return nil
}
