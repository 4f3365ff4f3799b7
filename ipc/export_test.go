package ipc

import "time"

// What the fuzz tests reach directly; every other test goes through a Conn.
var EncodeEnvelope = encodeEnvelope

// DecodeEnvelope reads a frame.
func DecodeEnvelope(frame []byte) (*Envelope, error) {
	var d decoded
	if err := d.read(frame); err != nil {
		return nil, err
	}
	return &d.Envelope, nil
}

// DecodeUsual is the one-pass decoder alone; nil if the frame is none for it.
func DecodeUsual(frame []byte) *Envelope {
	if d := new(decoded); d.usual(frame) {
		return &d.Envelope
	}
	return nil
}

// DecodeGeneral is encoding/json's view of a frame.
func DecodeGeneral(frame []byte) (*Envelope, error) {
	d := new(decoded)
	if err := d.general(frame); err != nil {
		return nil, err
	}
	return &d.Envelope, nil
}

// EncodeUsual is the appending encoder alone; nil if the envelope is none for it.
func EncodeUsual(e *Envelope) []byte {
	a := appender{}
	if a.envelope(e); a.unusual {
		return nil
	}
	return a.out
}

// EncodeGeneral is what encoding/json makes of an envelope.
func EncodeGeneral(e *Envelope) ([]byte, error) { return encodeGeneral(e) }

// Pause is for how long taking turns was, or will be, given up.
func (c *Conn) Pause() (p time.Duration) {
	c.update(func(s *state) { p = s.turn.pause })
	return p
}

// Get takes a block as a connection does.
func (m *Memory) Get(n int) []byte { return m.get(n) }

// Used is how many bytes somebody has that will be used again.
func (m *Memory) Used() int64 { return m.used.Load() }

// CanBeBrief says that Busy can be true.
const CanBeBrief = canBeBrief

// Busy reports whether the socket's system calls are brief ones.
func (c *Conn) Busy() bool { return c.socket.pace.busy.Load() }
