package ringfile_test

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/ixtrun/ixt/internal/ringfile"
)

// smallDisk makes this test binary a program that logs into the directory it names, on a disk that is full after smallDiskSize bytes.
const (
	smallDisk     = "RINGFILE_TEST_SMALL_DISK"
	smallDiskSize = 4096
	fullStatus    = 42
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(smallDisk); dir != "" {
		os.Exit(fillDisk(dir))
	}
	goleak.VerifyTestMain(m)
}

// fillDisk appends until the disk is full, then once more with room again.
func fillDisk(dir string) int {
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return complain(err)
	}
	free := limit
	limit.Cur = smallDiskSize
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return complain(err)
	}
	f, err := ringfile.Open(dir, "log", nil)
	if err != nil {
		return complain(err)
	}
	for n := 0; err == nil; n++ {
		err = f.Append(line(n, 900))
	}
	if !errors.Is(err, syscall.EFBIG) {
		return complain(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		return complain(err)
	}
	if err := errors.Join(f.Append(line(100, 900)), f.Close()); err != nil {
		return complain(err)
	}
	return fullStatus
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
