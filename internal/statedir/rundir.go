package statedir

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"

	"github.com/ixtrun/ixt/ipc"
)

const socketSuffix = ".sock"

// maxBase is the longest base that leaves room for claims and for names that tell something, in bytes.
const maxBase = 64

// RunDir is a directory for sockets that this process holds. Its methods are safe for concurrent use, except Close.
type RunDir struct{ claim *claim }

// RuntimeBase returns where this user's sockets belong: $XDG_RUNTIME_DIR/ixt, else ixt-UID in the directory for temporary files
// ($TMPDIR), else /tmp/ixt-UID. It takes the first one that is short enough and, but for the last, whose parent can be written
// to. It makes nothing.
func RuntimeBase() string {
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if base := filepath.Join(runtime, "ixt"); fits(base) && owned(runtime) {
		return base
	}
	if base := filepath.Join(os.TempDir(), userName()); fits(base) && writable(filepath.Dir(base)) {
		return base
	}
	return filepath.Join("/tmp", userName())
}

func fits(base string) bool    { return filepath.IsAbs(base) && len(base) <= maxBase }
func writable(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }

// owned guards against a variable that was kept while the user was changed, as sudo -E does.
func owned(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir() && owner(info) == os.Geteuid() && writable(dir)
}

// OpenRun makes a run directory under RuntimeBase and removes those that dead supervisors left there. It waits a moment for
// other supervisors that do the same. A base that others could tamper with is refused with an *UnsafeError.
func OpenRun() (*RunDir, error) {
	c, err := stake(RuntimeBase())
	if err != nil {
		return nil, fmt.Errorf("making a directory for sockets: %w", err)
	}
	return &RunDir{c}, nil
}

// Path returns the path of the directory.
func (r *RunDir) Path() string { return r.claim.path }

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Socket returns the path for a socket of that name, at most [ipc.MaxSocketPath] bytes long. A name that is too long for that,
// or no file name, is replaced by one made of it that is its own as well.
func (r *RunDir) Socket(name string) string {
	room := ipc.MaxSocketPath - len(r.claim.path) - len("/") - len(socketSuffix)
	if len(name) > room || !plainName.MatchString(name) {
		hash := fnv.New64a()
		_, _ = hash.Write([]byte(name)) // never fails
		name = fmt.Sprintf("%016x", hash.Sum64())
	}
	return filepath.Join(r.claim.path, name+socketSuffix)
}

// Swept returns the directories of dead supervisors that were removed when this one was made.
func (r *RunDir) Swept() []string { return r.claim.swept }

// Close removes the directory with the sockets in it. It is called once.
func (r *RunDir) Close() error {
	if err := r.claim.release(); err != nil {
		return fmt.Errorf("removing the directory for sockets: %w", err)
	}
	return nil
}
