package supervisor

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/ipc"
)

// output carries what a process writes to stdout and stderr into the log store.
type output struct {
	readers sync.WaitGroup
	ends    []*os.File
}

// open starts reading and returns the process's ends, which the caller closes once the process has them.
func (o *output) open(store *logs.Store, id ipc.ModuleID) (stdout, stderr *os.File, err error) {
	var write [2]*os.File
	for i, stream := range []string{"stdout", "stderr"} {
		r, w, err := os.Pipe()
		if err != nil {
			if i > 0 {
				_ = write[0].Close()
			}
			return nil, nil, fmt.Errorf("opening the pipe for %s of %s: %w", stream, id, err)
		}
		write[i] = w
		o.ends = append(o.ends, r)
		o.readers.Go(func() {
			defer r.Close()
			source := logs.Source{Module: id.Name, Instance: id.Instance, Stream: stream}
			_ = logs.Read(r, source, time.Now, store.Append) // ends with the pipe; a half line is an entry too
		})
	}
	return write[0], write[1], nil
}

// close waits for the last lines. Whoever inherited the pipe and outlived the process's group is not waited for.
func (o *output) close() {
	for _, r := range o.ends {
		_ = r.SetReadDeadline(time.Now().Add(lingering))
	}
	o.readers.Wait()
	o.ends = nil
}
