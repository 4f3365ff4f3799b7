package process

import "fmt"

// StartError says why a process could not be started and what to do about it.
type StartError struct {
	Path   string // the program as it was given
	Reason StartReason
	Detail string // what is wrong and the remedy, in a sentence without the path in front
	Err    error  // what the system said; for most reasons a syscall.Errno
}

func (e *StartError) Error() string { return fmt.Sprintf("cannot start %s: %s", e.Path, e.Detail) }

// Unwrap returns what the system said.
func (e *StartError) Unwrap() error { return e.Err }

// StartReason is a class of failed starts.
type StartReason int

const (
	Other       StartReason = iota // anything else; Detail has the system's words
	NotFound                       // there is no such file
	NoExecBit                      // the file may not be executed
	WrongFormat                    // the file is no program for this machine, or its interpreter is missing
	BadDir                         // the working directory cannot be entered
	NoResources                    // no processes, memory or files are left; a later start may succeed
)

// String is the reason in words, such as "not found".
func (r StartReason) String() string {
	switch r {
	case NotFound:
		return "not found"
	case NoExecBit:
		return "not executable"
	case WrongFormat:
		return "wrong format"
	case BadDir:
		return "bad working directory"
	case NoResources:
		return "no resources"
	default:
		return "other"
	}
}
