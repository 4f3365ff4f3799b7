package process_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/process"
)

func TestLockBetweenProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	require.NoError(t, os.WriteFile(path, []byte("1234567890 and more\n"), 0o600), "what an earlier holder wrote")
	p, out := startPiped(t, newSpawner(t), role(t, "lock", path))
	require.Equal(t, "locked", out.line())

	_, err := process.LockFile(path)
	var locked *process.LockedError
	require.True(t, errors.As(err, &locked), "%v", err)
	require.Equal(t, &process.LockedError{Path: path, PID: p.PID()}, locked)
	require.EqualError(t, err, fmt.Sprintf("%s is locked by process %d; stop that process or use another path", path, p.PID()))

	require.NoError(t, p.Signal(syscall.SIGKILL))
	awaitExit(t, p)
	lock, err := process.LockFile(path)
	require.NoError(t, err, "a dead process holds no lock")
	require.NoError(t, lock.Unlock())
	text, err := os.ReadFile(path)
	require.NoError(t, err, "the file stays")
	require.Equal(t, fmt.Sprintf("%d\n", os.Getpid()), string(text))
}

func TestLockWithinAProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for range 3 {
		lock, err := process.LockFile(path)
		require.NoError(t, err)
		_, err = process.LockFile(path)
		require.Equal(t, &process.LockedError{Path: path, PID: os.Getpid()}, err)
		require.NoError(t, lock.Unlock())
	}
}

func TestLockHeldByAnUnknown(t *testing.T) {
	err := &process.LockedError{Path: "/x/lock"}
	require.EqualError(t, err, "/x/lock is locked by another process; wait until that has ended or use another path")
}

func TestLockWhereNoFileCanBe(t *testing.T) {
	_, err := process.LockFile(filepath.Join(t.TempDir(), "missing", "lock"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A holder that removes the file leaves those who had it open with a lock on nothing, which they must notice.
func TestLockOfARemovedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var holders, taken atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 500 {
				lock, err := process.LockFile(path)
				if err != nil {
					continue
				}
				taken.Add(1)
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				holders.Add(-1)
				if err := errors.Join(os.Remove(path), lock.Unlock()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.Positive(t, taken.Load())
}
