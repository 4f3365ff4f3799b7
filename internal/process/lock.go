package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Lock is a file that one process at a time holds. The system frees it when the process dies, however it does.
type Lock struct{ file *os.File }

// LockedError says that somebody else holds the lock.
type LockedError struct {
	Path string
	PID  int // the holder as it wrote into the file; 0 if it has not written yet
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is locked by another process; wait until that has ended or use another path", e.Path)
	}
	return fmt.Sprintf("%s is locked by process %d; stop that process or use another path", e.Path, e.PID)
}

// maxAttempts bounds how often LockFile starts anew because the file was removed in its hands.
const maxAttempts = 10

// LockFile takes the lock without waiting, creating the file if need be, and writes this process's id into it for people to read.
// The error is a *LockedError if the lock is held, be it by this process, and else what the file system said.
func LockFile(path string) (*Lock, error) {
	for range maxAttempts {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // closes on exec: children do not hold the lock
		if err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
		current, err := acquire(file)
		switch {
		case err != nil:
			_ = file.Close()
			return nil, err
		case current:
			return &Lock{file}, nil
		}
		_ = file.Close() // a holder removed the file between our opening and locking it: lock the new one
	}
	return nil, fmt.Errorf("lock %s: it was removed by others each of %d times; use a path that nobody cleans up", path, maxAttempts)
}

// acquire locks the open file and signs it. It is not current if the path names another file by now.
func acquire(file *os.File) (current bool, err error) {
	path := file.Name()
	err = flock(file, syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		return false, &LockedError{Path: path, PID: holder(path)}
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w; the file system must support flock", path, err)
	}
	ours, err := file.Stat()
	if err != nil {
		return false, fmt.Errorf("lock: %w", err)
	}
	theirs, err := os.Stat(path)
	if os.IsNotExist(err) || err == nil && !os.SameFile(ours, theirs) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock: %w", err)
	}
	if err := file.Truncate(0); err != nil {
		return false, fmt.Errorf("lock: %w", err)
	}
	if _, err := fmt.Fprintf(file, "%d\n", os.Getpid()); err != nil {
		return false, fmt.Errorf("lock: %w", err)
	}
	return true, nil
}

// holder reads who wrote the file, 0 if that cannot be told.
func holder(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// Unlock frees the lock and leaves the file. The lock is freed by name, not by closing alone: a child that is just being started
// shares the open file until it executes its program.
func (l *Lock) Unlock() error {
	err := flock(l.file, syscall.LOCK_UN)
	if closed := l.file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("unlock %s: %w", l.file.Name(), err)
	}
	return nil
}

func flock(file *os.File, how int) error {
	for {
		if err := syscall.Flock(int(file.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}
