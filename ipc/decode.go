package ipc

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
	"unsafe"
)

// read reads one frame's JSON into d, which must be zero. Every error is a *ProtocolError. The envelope shares the frame's memory,
// which must not be written any more.
func (d *decoded) read(frame []byte) error {
	if !d.usual(frame) {
		*d = decoded{}
		if !utf8.Valid(frame) {
			return protocolError(frame, "a frame is not UTF-8")
		}
		if err := d.general(frame); err != nil {
			return err
		}
	}
	switch {
	case d.Type == "":
		return protocolError(frame, "a frame has no type")
	case d.ID < 0 || d.ID > maxID:
		return protocolError(frame, "id %d is outside 1 .. 2^53-1", d.ID)
	case d.ID == 0 && (d.answers() || d.Type == TypeCancel):
		return protocolError(frame, "a %s has no id", d.Type)
	}
	return nil
}

// attach puts the payload that came behind the JSON where it belongs.
func (d *decoded) attach(frame, b []byte) error {
	p := OwnPayload(b)
	var to *Data
	switch {
	case d.Message != nil:
		if !d.Message.Payload.IsZero() {
			return protocolError(frame, "a frame has two payloads")
		}
		d.Message.Payload = p
		return nil
	case d.answers():
		to = &d.Data
	case d.Type == TypeServiceRequest:
		to = &d.Params
	default:
		return protocolError(frame, "a %s has an attachment", d.Type)
	}
	if object := bytes.TrimSpace(to.object); len(object) > 0 && object[0] != '{' || hasPayload(object) {
		return protocolError(frame, "a frame has no place for its attachment")
	}
	to.payload = p
	return nil
}

// hasPayload reports whether an object has a member "payload".
func hasPayload(object json.RawMessage) bool {
	if !bytes.Contains(object, []byte("payload")) {
		return false
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(object, &members) // it is an object
	return members["payload"] != nil
}

// general reads any frame, as encoding/json does: that is what a frame means.
func (d *decoded) general(frame []byte) error {
	if trimmed := bytes.TrimLeft(frame, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return protocolError(frame, "a frame is not a JSON object")
	}
	if err := json.Unmarshal(frame, &d.Envelope); err != nil {
		return protocolError(frame, "a frame cannot be decoded: %v", err)
	}
	return nil
}

// decoded is an envelope with what most frames have in them, for one allocation.
type decoded struct {
	Envelope
	message  Message
	context  Context
	delivery Delivery
}

// usual reads frames as they usually are, in one pass; false if this one is not. Those of a module's start are among them: to make
// encoding/json ready for its first frame takes a twentieth of the start of a process.
func (d *decoded) usual(frame []byte) bool {
	s := &scanner{text: frame}
	var seen names
	s.members(func(name []byte) {
		switch string(name) {
		case "type":
			d.Type = once(s, &seen, 0, text(s))
		case "id":
			d.ID = once(s, &seen, 1, s.integer())
		case "message":
			d.Message = once(s, &seen, 2, &d.message)
			s.message(&d.message)
		case "context":
			d.Context = once(s, &seen, 3, &d.context)
			s.context(&d.context)
		case "event":
			d.Event = once(s, &seen, 4, &d.delivery)
			s.delivery(&d.delivery)
		case "service":
			d.Service = once(s, &seen, 5, text(s))
		case "method":
			d.Method = once(s, &seen, 6, text(s))
		case "params":
			d.Params = once(s, &seen, 7, ObjectData(s.value()))
		case "ttl_ms":
			d.TTLMS = once(s, &seen, 8, s.integer())
		case "parent":
			d.Parent = once(s, &seen, 9, s.integer())
		case "status":
			d.Status = once(s, &seen, 10, text(s))
		case "data":
			d.Data = once(s, &seen, 11, ObjectData(s.value()))
		case "protocol":
			d.Protocol = once(s, &seen, 12, s.int())
		case "module_id":
			d.ModuleID = once(s, &seen, 13, text(s))
		case "config":
			d.Config = once(s, &seen, 14, json.RawMessage(s.value()))
		case "extensions":
			d.Extensions = once(s, &seen, 15, s.texts())
		case "max_frame":
			d.MaxFrame = once(s, &seen, 16, s.int())
		case "grace_ms":
			d.GraceMS = once(s, &seen, 17, s.integer())
		case "error":
			s.fail() // seldom
		default:
			s.unknown(name)
		}
	})
	return s.end()
}

func (s *scanner) message(m *Message) {
	var seen names
	s.members(func(name []byte) { s.ofMessage(m, name, &seen) })
}

// ofMessage reads the value of one member of a message. It uses the first four of the names.
func (s *scanner) ofMessage(m *Message, name []byte, seen *names) {
	switch string(name) {
	case "topic":
		m.Topic = once(s, seen, 0, text(s))
	case "payload":
		m.Payload = once(s, seen, 1, s.payload())
	case "priority":
		m.Priority = Priority(min(max(once(s, seen, 2, s.integer()), 0), 3) - 1)
	case "ttl_ms":
		m.TTLMS = once(s, seen, 3, s.integer())
	default:
		s.unknown(name)
	}
}

func (s *scanner) context(c *Context) {
	var seen names
	s.members(func(name []byte) {
		switch string(name) {
		case "trace_id":
			c.TraceID = once(s, &seen, 0, text(s))
		case "source_module":
			c.SourceModule = once(s, &seen, 1, text(s))
		case "timestamp":
			c.Timestamp = once(s, &seen, 2, s.integer())
		case "call_id":
			c.CallID = once(s, &seen, 3, text(s))
		case "attempt":
			c.Attempt = once(s, &seen, 4, s.int())
		default:
			s.unknown(name)
		}
	})
}

func (s *scanner) delivery(d *Delivery) {
	var seen names
	s.members(func(name []byte) {
		switch string(name) {
		case "subscription":
			d.Subscription = once(s, &seen, 0, text(s))
		case "seq":
			d.Seq = once(s, &seen, 1, s.count())
		case "lost":
			d.Lost = once(s, &seen, 2, s.count())
		case "op":
			d.Op = once(s, &seen, 3, text(s))
		case "revision":
			d.Revision = once(s, &seen, 4, s.count())
		default:
			s.unknown(name)
		}
	})
}

// count is an integer that is not negative.
func (s *scanner) count() uint64 {
	n := s.integer()
	if n < 0 {
		s.fail()
	}
	return uint64(n)
}

// int is an integer that fits into an int.
func (s *scanner) int() int {
	n := s.integer()
	if int64(int(n)) != n {
		s.fail()
	}
	return int(n)
}

// texts is an array of strings.
func (s *scanner) texts() []string {
	out := []string{}
	s.elements(func() { out = append(out, text(s)) })
	return out
}

// text is a string value; it shares the frame's memory.
func text(s *scanner) string {
	b := s.str()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// payload is a string value as a Payload; it shares the frame's memory.
func (s *scanner) payload() Payload {
	if b := s.str(); len(b) > 0 {
		return Payload{b, inBase64}
	}
	return Payload{}
}

// unknown passes over a member that is not known here. encoding/json does not mind the case of names: one that may be meant to be
// known is left to it.
func (s *scanner) unknown(name []byte) {
	for _, c := range name {
		if c >= 0x80 || 'A' <= c && c <= 'Z' {
			s.fail()
			return
		}
	}
	s.value()
}

// names are those an object has had. The second of one name is left to encoding/json, whose rules for it are its own.
type names uint32

func once[T any](s *scanner, seen *names, n int, value T) T {
	if *seen&(1<<n) != 0 {
		s.fail()
	}
	*seen |= 1 << n
	return value
}
