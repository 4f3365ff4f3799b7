package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ixtrun/ixt/ipc"
)

// disk brings to the disk what the embedded server has only written. The server knows two ways for all of its streams together: to sync
// every write, or to sync now and then. So if one bucket may wait and another may not, the server syncs now and then, and what may not
// wait is settled here. The server writes a message before it acknowledges it, so what was acknowledged before a pass begins is in the
// files that the pass syncs.
//
// Each stream that somebody settles has one goroutine at most, which makes one pass for all who wait, and ends when nobody does. Methods are
// safe for concurrent use.
type disk struct {
	root string // of the server's store
	sync func(*os.File) error

	running sync.WaitGroup
	mu      sync.Mutex
	streams map[string]*settled
}

// settled is what is on the disk of one stream.
type settled struct {
	files  map[string]os.FileInfo // as they were when they were last synced; the running goroutine's own
	failed error                  // the same; a pass is not tried again, because the system forgets what it could not write

	next   *pass // for whoever comes now; guarded by disk.mu, as is active
	active bool
}

// pass is one round of syncing. err is set when done is closed.
type pass struct {
	done chan struct{}
	err  error
}

func newDisk(root string, sync func(*os.File) error) *disk {
	return &disk{root: root, sync: sync, streams: map[string]*settled{}}
}

// settle returns when everything is on the disk that a stream has acknowledged before the call.
func (d *disk) settle(ctx context.Context, stream string) error {
	p := d.join(stream)
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join returns a pass that has not begun yet.
func (d *disk) join(stream string) *pass {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.streams[stream]
	if s == nil {
		s = &settled{}
		d.streams[stream] = s
	}
	if s.next == nil {
		s.next = &pass{done: make(chan struct{})}
	}
	if !s.active {
		s.active = true
		d.running.Go(func() { d.run(stream, s) })
	}
	return s.next
}

func (d *disk) run(stream string, s *settled) {
	for p := d.begin(s); p != nil; p = d.begin(s) {
		if s.failed == nil {
			if err := d.pass(filepath.Join(d.streamsDir(), stream), s); err != nil {
				s.failed = ipc.Refuse(ipc.CodeUnavailable, "it is written, but may not be on the disk: %v; look after the disk, and start ixt again: until then nothing more is acknowledged here", err)
				s.failed.(*ipc.Error).Outcome = ipc.Unknown
			}
		}
		p.err = s.failed
		close(p.done)
	}
}

// begin takes the pass that others wait for. It is nil when there is none: then the goroutine is over.
func (d *disk) begin(s *settled) *pass {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := s.next
	s.next, s.active = nil, p != nil
	return p
}

// pass syncs those of a stream's files that have changed since the last pass, and the directories if there are other files than then.
func (d *disk) pass(dir string, s *settled) error {
	files := map[string]os.FileInfo{}
	var dirs []string
	moved := false
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path != dir:
			return nil // the server has removed it meanwhile
		case err != nil:
			return err
		case entry.IsDir():
			dirs = append(dirs, path)
			return nil
		case !irreplaceable(entry.Name()):
			return nil
		}
		before := s.files[path]
		now, err := d.file(path, before)
		if now != nil {
			files[path] = now
			moved = moved || before == nil || !os.SameFile(before, now)
		}
		return err
	})
	if err != nil {
		return err
	}
	if moved {
		for at := d.streamsDir(); at != filepath.Dir(filepath.Dir(d.root)); at = filepath.Dir(at) {
			dirs = append(dirs, at)
		}
		for _, dir := range dirs {
			if _, err := d.file(dir, nil); err != nil {
				return err
			}
		}
	}
	s.files = files
	return nil
}

// file syncs what is at path unless it is as it was before, and returns how it is; nil if it is gone.
func (d *disk) file(path string, before os.FileInfo) (os.FileInfo, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	now, err := f.Stat() // before it is synced: what is written meanwhile is another pass's
	if err != nil || before != nil && os.SameFile(before, now) && before.Size() == now.Size() && before.ModTime().Equal(now.ModTime()) {
		return before, err
	}
	return now, d.sync(f)
}

func (d *disk) streamsDir() string { return filepath.Join(d.root, "jetstream", "$G", "streams") }

// irreplaceable tells whether the server needs the file: messages, what a stream or consumer is, and how far a consumer has come. The others are
// made from these.
func irreplaceable(name string) bool {
	return strings.HasSuffix(name, ".blk") || name == "meta.inf" || name == "meta.sum" || name == "o.dat"
}

// close returns when nothing is being synced any more.
func (d *disk) close() { d.running.Wait() }
