package process

import (
	"bytes"
	"fmt"
	"os"
)

// traced looks for the line "TracerPid:\t123"; 0 is nobody.
func traced(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	_, rest, found := bytes.Cut(text, []byte("\nTracerPid:\t"))
	return found && !bytes.HasPrefix(rest, []byte("0\n"))
}

func stopped(pid int) bool {
	s, err := readStat(pid)
	return err == nil && s.state == 'T' // 't' is halted by a debugger
}
