package ipc

import (
	"encoding/json"
	"unicode/utf8"
)

// EncodeTargeted returns m as the params of a method of message_bus. The error is that of encoding/json.
func EncodeTargeted(m *TargetedMessage) (json.RawMessage, error) {
	a := appender{out: make([]byte, 0, 64+len(m.Topic)+len(m.Payload)+len(m.Target))}
	a.message(&m.Message)
	a.out = a.out[:len(a.out)-1] // the object goes on
	a.text(`,"target":`, m.Target)
	a.raw(`}`)
	if a.unusual {
		return json.Marshal(m)
	}
	return a.out, nil
}

// DecodeTargeted reads the params of a method of message_bus. What it returns shares their memory, which must not be written any
// more, and has the payload as it came. The error is INVALID_INPUT.
func DecodeTargeted(method string, params json.RawMessage) (TargetedMessage, error) {
	m, usual := usualTargeted(params)
	if usual {
		return m, nil
	}
	m = TargetedMessage{}
	if err := json.Unmarshal(params, &m); err != nil {
		return m, Refuse(CodeInvalidInput, "the params of %s.%s cannot be decoded: %v", ServiceMessageBus, method, err)
	}
	return m, nil
}

// usualTargeted reads params as they usually are, in one pass; false if these are not.
func usualTargeted(params []byte) (m TargetedMessage, usual bool) {
	s := &scanner{text: params}
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
		case "target":
			m.Target = once(s, &seen, 4, text(s))
		default:
			s.unknown(name)
		}
	})
	return m, s.end() && utf8.Valid(params)
}
