package ipc

import "encoding/json"

// What one module calls of another is packed and unpacked in one pass, as usual envelopes are.

// encode returns the JSON of m; false if that is not usual.
func (m *TargetedMessage) encode() (json.RawMessage, bool) {
	a := appender{out: make([]byte, 0, 64+len(m.Topic)+m.Payload.textSize()+len(m.Target))}
	a.message(&m.Message)
	a.out = a.out[:len(a.out)-1] // the object goes on
	a.text(`,"target":`, m.Target)
	a.raw(`}`)
	return a.out, !a.unusual
}

// decode reads the JSON of m, whose memory it shares then; false if that is not usual.
func (m *TargetedMessage) decode(object json.RawMessage) bool {
	s := &scanner{text: object}
	var seen names
	s.members(func(name []byte) {
		if string(name) == "target" {
			m.Target = once(s, &seen, 4, text(s))
		} else {
			s.ofMessage(&m.Message, name, &seen)
		}
	})
	return s.end()
}
