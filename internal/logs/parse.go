package logs

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// parse takes the entry from a line that a logger wrote as JSON, and reports whether it is one. The line is UTF-8.
func (e *Entry) parse(line []byte) bool {
	if !bytes.HasPrefix(bytes.TrimSpace(line), []byte{'{'}) {
		return false
	}
	var compact bytes.Buffer // white space may be a \r
	if json.Compact(&compact, []byte(escapeRaw(string(line)))) != nil {
		return false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(compact.Bytes(), &members) != nil {
		return false
	}
	level, leveled := levelOf(members["level"])
	key := "message"
	message, messaged := str(members[key])
	if !messaged {
		key = "msg"
		message, messaged = str(members[key])
	}
	if !leveled && !messaged {
		return false // data of its own, which is not ours to take apart
	}
	if leveled {
		e.Level = level
		delete(members, "level")
	}
	if messaged {
		e.Message = printable(message)
		delete(members, key)
	}
	if stamp, ok := instant(members["time"]); ok && e.Time.Sub(stamp).Abs() <= maxSkew {
		e.Time = stamp
		delete(members, "time")
	}
	if id, ok := str(members["module"]); ok && strings.HasPrefix(id, e.Module+":") {
		delete(members, "module") // its own id, which an SDK's logger adds
	}
	if len(members) > 0 {
		e.Fields = make(map[string]json.RawMessage, len(members))
	}
	for name, value := range members {
		e.Fields[printable(name)] = value
	}
	return true
}

// levelOf understands the words for levels that loggers in use write, also as in "INFO+2".
func levelOf(value json.RawMessage) (level string, known bool) {
	name, _ := str(value)
	if end := strings.IndexAny(name, "+-"); end >= 0 {
		name = name[:end]
	}
	switch strings.ToLower(name) {
	case "trace", "debug":
		return LevelDebug, true
	case "info", "notice":
		return LevelInfo, true
	case "warn", "warning":
		return LevelWarn, true
	case "error", "err", "critical", "fatal", "panic":
		return LevelError, true
	}
	return "", false
}

// str decodes a JSON string.
func str(value json.RawMessage) (string, bool) {
	var s string
	return s, len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &s) == nil
}

// maxSkew is how far from its arrival a line can claim to have been written. What is further away is data of the module's, or
// from a clock that is wrong, and stays a field: it must neither disorder the log nor make it look old enough to be dropped.
const maxSkew = time.Minute

func instant(value json.RawMessage) (time.Time, bool) {
	s, _ := str(value)
	t, err := time.Parse(time.RFC3339, s)
	return t.UTC(), err == nil
}

// escapeRaw writes the hostile characters that JSON allows as they are in its strings as escapes, which mean the same.
func escapeRaw(text string) string {
	return escape(text, func(r rune) bool { return r > 0x7e && garbles(r) }, jsonEscape)
}
