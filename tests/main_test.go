// Package tests drives ixt from outside: real supervisors, real processes, real sockets.
//
// The processes are this test binary itself, started again by a supervisor under test: TestMain plays the role that the
// manifest's environment names (roles_test.go). Nothing sleeps: a test knows that a module has got somewhere because the
// module says so through a gate (gate_test.go) or because the supervisor's journal does.
package tests

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// roleVar names the part that this binary plays as a module instead of running tests.
const roleVar = "IXT_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(play(role))
	}
	var err error
	if binaryDir, err = os.MkdirTemp("", "ixt"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	warmUp()
	before := openFiles()
	code := m.Run()
	_ = os.RemoveAll(binaryDir)
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		code = 1
	}
	if after := openFiles(); code == 0 && after > before {
		fmt.Fprintf(os.Stderr, "%d file descriptors were open before the tests, %d are after\n", before, after)
		code = 1
	}
	os.Exit(code)
}

// warmUp makes the runtime open the descriptors it keeps for good.
func warmUp() {
	if r, w, err := os.Pipe(); err == nil {
		_ = r.Close()
		_ = w.Close()
	}
}

// openFiles counts this process's file descriptors; 0 where the system does not tell.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
