package process

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxEnviron is how much of an environment is searched, in bytes.
const maxEnviron = 1 << 20

// WithEnv finds the other processes of this user whose environment has an entry that begins with one of the prefixes, such as
// "NAME=value/". A process hands its environment down to all that it starts unless it cleans up. It sees the environment that a
// program was started with. Processes that may not be looked into, such as those of set-user-ID programs, are left out; those that
// fork meanwhile may be missed, so ask again after killing. Those that a SIGKILL is on its way to are dead already. On macOS it finds none. It looks at every process of the machine, so ask
// seldom, and for many prefixes at once.
func WithEnv(prefixes ...string) []Stray {
	table, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer table.Close()
	names, err := table.Readdirnames(-1)
	if err != nil {
		return nil
	}
	search := newEnvSearch(prefixes)
	var found []Stray
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() || !search.matches(pid) {
			continue
		}
		// Should the pid have changed hands before its start time was read, either the newcomer matches too or Kill will refuse.
		if start := startTime(pid); start != 0 && search.matches(pid) && !dying(pid) {
			found = append(found, Stray{pid, start})
		}
	}
	return found
}

// dying reports whether the process has been sent SIGKILL and has not come to die of it: "SigPnd:\t0000000000000100".
func dying(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return true
	}
	for _, set := range []string{"\nSigPnd:\t", "\nShdPnd:\t"} {
		_, rest, _ := bytes.Cut(text, []byte(set))
		mask, err := strconv.ParseUint(string(rest[:min(len(rest), 16)]), 16, 64)
		if err == nil && mask&(1<<(syscall.SIGKILL-1)) != 0 {
			return true
		}
	}
	return false
}

// An envSearch is for one goroutine.
type envSearch struct {
	user     uint32
	patterns [][]byte // a zero byte comes before every entry of an environment
	environ  bytes.Buffer
}

func newEnvSearch(prefixes []string) *envSearch {
	s := &envSearch{user: uint32(os.Geteuid())}
	for _, prefix := range prefixes {
		s.patterns = append(s.patterns, []byte("\x00"+prefix))
	}
	return s
}

func (s *envSearch) matches(pid int) bool {
	file, err := os.Open(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Sys().(*syscall.Stat_t).Uid != s.user {
		return false
	}
	s.environ.Reset()
	s.environ.WriteByte(0)
	if _, err := s.environ.ReadFrom(io.LimitReader(file, maxEnviron)); err != nil {
		return false
	}
	return slices.ContainsFunc(s.patterns, func(p []byte) bool { return bytes.Contains(s.environ.Bytes(), p) })
}

// signalExactly holds on to whatever process has the pid and then looks whether it is the right one, which it stays. A kernel without
// pidfds leaves a moment in between.
func signalExactly(pid int, start uint64, sig syscall.Signal) error {
	h := &handle{pidfd: -1}
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case err == nil:
		defer unix.Close(fd)
		h.pidfd = fd
	case err != unix.ENOSYS:
		return gone(err)
	}
	if s, err := readStat(pid); err != nil || start == 0 || s.startTime != start || s.dead() {
		return ErrGone
	}
	return h.signal(pid, sig)
}
