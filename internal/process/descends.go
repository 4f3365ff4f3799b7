package process

// maxGenerations bounds the walk of Descends: a chain of parents is never that long, but it may change while it is walked.
const maxGenerations = 1024

// Descends reports whether pid is ancestor itself or one of its descendants, by the chain of parents as it is now. A process whose
// own parent died belongs to the system's init and is nobody's descendant any more. No process at all is (pid 0) is neither.
func Descends(pid, ancestor int) bool {
	for range maxGenerations {
		if pid <= 0 {
			return false
		}
		if pid == ancestor {
			return true
		}
		parent, err := parentOf(pid)
		if err != nil {
			return false
		}
		pid = parent
	}
	return false
}
