package ipc

// What the fuzz tests reach directly; every other test goes through a Conn.
var (
	DecodeEnvelope = decodeEnvelope
	EncodeEnvelope = encodeEnvelope
)

// DecodeUsual is the one-pass decoder alone; nil if the frame is none for it.
func DecodeUsual(frame []byte) *Envelope { return decodeUsual(frame) }

// DecodeGeneral is encoding/json's view of a frame.
func DecodeGeneral(frame []byte) (*Envelope, error) { return decodeGeneral(frame) }

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
