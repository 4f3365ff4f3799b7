package statedir_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ixtrun/ixt/internal/statedir"
)

// Root may write anywhere, so for it the access is that of nobody, for one thread, which ends with the goroutine.
func TestNoPermission(t *testing.T) {
	dir := shortDir(t)
	require.NoError(t, os.Chmod(dir, 0o555))
	errs := make(chan error)
	go func() {
		if os.Geteuid() == 0 {
			runtime.LockOSThread()
			if err := unix.Setfsuid(65534); err != nil {
				errs <- err
				return
			}
		}
		for _, path := range []string{dir, filepath.Join(dir, "state")} {
			_, err := statedir.Open(path)
			errs <- err
		}
	}()
	for range 2 {
		err := <-errs
		var unusable *statedir.UnusableError
		require.ErrorAs(t, err, &unusable)
		require.ErrorIs(t, err, os.ErrPermission)
		require.ErrorContains(t, err, "write there, or name another with --state DIR")
	}
}
