package ipc

// What the fuzz tests reach directly; every other test goes through a Conn.
var (
	DecodeEnvelope = decodeEnvelope
	EncodeEnvelope = encodeEnvelope
)
