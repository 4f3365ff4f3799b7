package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

const maxRSSUnit = 1024 // Linux counts resident memory in kibibytes

// A stat is what we need of /proc/PID/stat.
type stat struct {
	state     byte // 'Z' is a zombie, 'X' a process that is vanishing
	parent    int
	group     int
	startTime uint64 // clock ticks since the machine started
}

// dead is true for what is yet to be collected.
func (s stat) dead() bool { return s.state == 'Z' || s.state == 'X' }

// readStat fails if there is no such process.
func readStat(pid int) (stat, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return stat{}, err
	}
	// The second field is the program's name in brackets, which may itself hold blanks and brackets; field 3 follows the last one.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("%s has %d fields after the name, want at least 20", path, len(fields))
	}
	s := stat{state: fields[0][0]}
	var errs [3]error
	s.parent, errs[0] = strconv.Atoi(string(fields[4-3]))
	s.group, errs[1] = strconv.Atoi(string(fields[5-3]))
	s.startTime, errs[2] = strconv.ParseUint(string(fields[22-3]), 10, 64)
	for _, err := range errs {
		if err != nil {
			return stat{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	return s, nil
}

func startTime(pid int) uint64 {
	s, err := readStat(pid)
	if err != nil {
		return 0
	}
	return s.startTime
}

func parentOf(pid int) (int, error) {
	s, err := readStat(pid)
	return s.parent, err
}

// groupAlive scans the process table, for Linux lets even a group of zombies be signalled. Without a table the answer is the cautious
// one.
func groupAlive(group int) bool {
	table, err := os.Open("/proc")
	if err != nil {
		return true
	}
	defer table.Close()
	names, err := table.Readdirnames(-1)
	if err != nil {
		return true
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil && s.group == group && !s.dead() {
			return true
		}
	}
	return false
}

func signalGroup(group int, sig syscall.Signal) error {
	err := syscall.Kill(-group, sig)
	if err == syscall.ESRCH {
		return nil // the leader moved to another group and nobody is left in this one
	}
	return err
}
