package tests

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/supervisor"
)

// go test ./tests -run TestRestartsAreFlat -v -restarts 10000 -timeout 30m
var restarts = flag.Int("restarts", 200, "how often TestRestartsAreFlat kills its module")

// What a process may need more at the end than after a tenth of the restarts. The journal in memory is full after some hundreds
// of them; the rest is the collector's freedom.
const (
	moreGoroutines = 0
	moreFiles      = 0
	moreHeap       = 2 << 20  // bytes
	moreResident   = 16 << 20 // bytes
)

// needs is what a process occupies.
type needs struct {
	goroutines, files int
	heap, resident    uint64 // bytes
}

func needsNow() needs {
	debug.FreeOSMemory() // after a collection
	return needs{runtime.NumGoroutine(), openFiles(), heap(), resident()}
}

func (n needs) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %.1f MiB heap, %.1f MiB resident", n.goroutines, n.files,
		float64(n.heap)/(1<<20), float64(n.resident)/(1<<20))
}

func TestRestartsAreFlat(t *testing.T) {
	f := newFleet(t)
	f.ctx, _ = patienceFor(t, patience+time.Duration(*restarts)*time.Second)
	f.add("phoenix", "polite", []string{"phoenix.say"}, "[restart]\nforgive = \"0s\"\n")
	f.start()
	ready := f.awaitState("phoenix", supervisor.Ready)
	var early needs
	for n := 1; n <= *restarts; n++ {
		require.NoError(t, syscall.Kill(ready.PID, syscall.SIGKILL))
		ready = f.awaitStateAfter(ready.Seq, "phoenix", supervisor.Ready)
		if n == max(*restarts/10, 1) {
			early = needsNow()
			t.Logf("after %d restarts: %s", n, early)
		}
	}
	_, err := f.say("phoenix.say", "hello")
	require.NoError(t, err)
	var late needs
	eventually(func() bool { // the last process's readers may still be on their way out
		late = needsNow()
		return late.goroutines <= early.goroutines+moreGoroutines && late.files <= early.files+moreFiles
	})
	t.Logf("after %d restarts: %s", *restarts, late)
	require.LessOrEqual(t, late.goroutines, early.goroutines+moreGoroutines, "goroutines")
	require.LessOrEqual(t, late.files, early.files+moreFiles, "open files")
	require.LessOrEqual(t, late.heap, early.heap+moreHeap, "bytes of heap")
	// What other tests of this process have left to the system takes its time, the more the race detector adds to it.
	require.LessOrEqual(t, late.resident, early.resident+early.resident/4+moreResident, "bytes of resident memory")
	require.Equal(t, *restarts, f.instance("phoenix").Restarts)
}
