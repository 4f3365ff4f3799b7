package logs

// What stays in memory of each instance at most; the bytes are of messages and fields.
const (
	recentEntries = 100
	recentBytes   = 256 << 10
)

// recent is the newest entries of one instance.
type recent struct {
	entries []Entry
	bytes   int
}

func (r *recent) add(e Entry) {
	r.entries = append(r.entries, e)
	r.bytes += weight(e)
	for len(r.entries) > recentEntries || r.bytes > recentBytes && len(r.entries) > 1 {
		r.bytes -= weight(r.entries[0])
		r.entries[0] = Entry{} // what it held is freed with the array otherwise
		r.entries = r.entries[1:]
	}
}

// weight is about how much memory an entry holds on to.
func weight(e Entry) int {
	n := len(e.Message)
	for name, value := range e.Fields {
		n += len(name) + len(value)
	}
	return n
}
