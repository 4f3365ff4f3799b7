package ipc

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
	"unsafe"
)

// decodeEnvelope reads one frame's JSON. Every error is a *ProtocolError. The envelope shares the frame's memory, which must not
// be written any more.
func decodeEnvelope(frame []byte) (*Envelope, error) {
	if !utf8.Valid(frame) {
		return nil, protocolError(frame, "a frame is not UTF-8")
	}
	e := decodeUsual(frame)
	if e == nil {
		var err error
		if e, err = decodeGeneral(frame); err != nil {
			return nil, err
		}
	}
	switch {
	case e.Type == "":
		return nil, protocolError(frame, "a frame has no type")
	case e.ID < 0 || e.ID > maxID:
		return nil, protocolError(frame, "id %d is outside 1 .. 2^53-1", e.ID)
	case e.ID == 0 && (e.answers() || e.Type == TypeCancel):
		return nil, protocolError(frame, "a %s has no id", e.Type)
	}
	return e, nil
}

// decodeGeneral reads any frame, as encoding/json does: that is what a frame means.
func decodeGeneral(frame []byte) (*Envelope, error) {
	if trimmed := bytes.TrimLeft(frame, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, protocolError(frame, "a frame is not a JSON object")
	}
	var e Envelope
	if err := json.Unmarshal(frame, &e); err != nil {
		return nil, protocolError(frame, "a frame cannot be decoded: %v", err)
	}
	return &e, nil
}

// decoded is an envelope with what most frames have in them, for one allocation.
type decoded struct {
	Envelope
	message  Message
	context  Context
	delivery Delivery
}

// decodeUsual reads the frames of calls, answers and events as they usually are, in one pass; nil if this one is not.
func decodeUsual(frame []byte) *Envelope {
	d := &decoded{}
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
			d.Params = once(s, &seen, 7, json.RawMessage(s.value()))
		case "ttl_ms":
			d.TTLMS = once(s, &seen, 8, s.integer())
		case "parent":
			d.Parent = once(s, &seen, 9, s.integer())
		case "status":
			d.Status = once(s, &seen, 10, text(s))
		case "data":
			d.Data = once(s, &seen, 11, json.RawMessage(s.value()))
		case "protocol", "module_id", "config", "extensions", "max_frame", "grace_ms", "error":
			s.fail() // seldom
		default:
			s.unknown(name)
		}
	})
	if !s.end() {
		return nil
	}
	return &d.Envelope
}

func (s *scanner) message(m *Message) {
	var seen names
	s.members(func(name []byte) {
		switch string(name) {
		case "topic":
			m.Topic = once(s, &seen, 0, text(s))
		case "payload":
			m.Payload = Payload(once(s, &seen, 1, text(s)))
		case "priority":
			m.Priority = Priority(min(max(once(s, &seen, 2, s.integer()), 0), 3) - 1)
		case "ttl_ms":
			m.TTLMS = once(s, &seen, 3, s.integer())
		default:
			s.unknown(name)
		}
	})
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
			c.Attempt = int(once(s, &seen, 4, s.integer()))
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

// text is a string value; it shares the frame's memory.
func text(s *scanner) string {
	b := s.str()
	return unsafe.String(unsafe.SliceData(b), len(b))
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
type names uint16

func once[T any](s *scanner, seen *names, n int, value T) T {
	if *seen&(1<<n) != 0 {
		s.fail()
	}
	*seen |= 1 << n
	return value
}
