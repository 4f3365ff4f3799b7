package ipc

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"sync"
)

// Frame limits.
const (
	// DefaultMaxFrame is the largest frame accepted unless configured, in bytes without the length prefix.
	DefaultMaxFrame = 16 << 20

	headerSize = 4       // u32 little-endian length
	rawBit     = 1 << 31 // marks an attachment, extension "raw", which is not spoken here yet
	headSize   = 4 << 10 // how much of an oversize frame is looked at to find whom to answer
	firstAlloc = 64 << 10
	trialSize  = 256 << 10 // how much of a large frame must have come before memory is spent on all of it
)

func putLength(dst []byte, n int) { binary.LittleEndian.PutUint32(dst, uint32(n)) }

// oversizeError reports a frame over the limit that was skipped. Envelope holds what its head told: type and id, if found.
type oversizeError struct {
	size int
	head Envelope
}

func (e *oversizeError) Error() string { return "frame over the limit" }

// frameReader cuts a byte stream into frames.
type frameReader struct {
	r      io.Reader
	header [headerSize]byte
	trials sync.Pool // of *[trialSize]byte
}

// next returns the next frame's JSON. It returns io.EOF at a clean end, io.ErrUnexpectedEOF inside a frame, an
// *oversizeError for a frame over limit, which has then been skipped, and a *ProtocolError for anything else. The limit
// is asked for when a frame begins: init may have changed it since this side began to wait.
//
// A peer that announces much and sends little costs little: memory for a large frame is taken when a good part has arrived.
func (f *frameReader) next(limit func() int) ([]byte, error) {
	header := f.header[:]
	if _, err := io.ReadFull(f.r, header); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(header)
	switch {
	case n == 0:
		return nil, protocolError(header, "a frame is empty")
	case n&rawBit != 0:
		return nil, protocolError(header, "a frame has an attachment, but the extension was not negotiated")
	case int64(n) > int64(limit()):
		return nil, f.skip(int(n))
	}
	return f.read(int(n))
}

// read returns n bytes in memory of their own, which the envelope that is decoded from them shares.
func (f *frameReader) read(n int) ([]byte, error) {
	if n > firstAlloc {
		return f.readLarge(n)
	}
	buf := make([]byte, n)
	if _, err := io.ReadFull(f.r, buf); err != nil {
		return nil, unexpected(err)
	}
	return buf, nil
}

func (f *frameReader) readLarge(n int) ([]byte, error) {
	trial, ok := f.trials.Get().(*[trialSize]byte)
	if !ok {
		trial = new([trialSize]byte)
	}
	defer f.trials.Put(trial)
	first := trial[:min(n, trialSize)]
	if _, err := io.ReadFull(f.r, first); err != nil {
		return nil, unexpected(err)
	}
	buf := make([]byte, n)
	if _, err := io.ReadFull(f.r, buf[copy(buf, first):]); err != nil {
		return nil, unexpected(err)
	}
	return buf, nil
}

// skip discards a frame of n bytes but for its head, which it searches for type and id.
func (f *frameReader) skip(n int) error {
	head := make([]byte, min(n, headSize))
	if _, err := io.ReadFull(f.r, head); err != nil {
		return unexpected(err)
	}
	if _, err := io.CopyN(io.Discard, f.r, int64(n-len(head))); err != nil {
		return unexpected(err)
	}
	return &oversizeError{size: n, head: peek(head)}
}

// peek finds type and id among the top-level members of a JSON object that may be cut off.
func peek(head []byte) (e Envelope) {
	dec := json.NewDecoder(bytes.NewReader(head))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return e
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return e
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return e
		}
		switch key {
		case "type":
			_ = json.Unmarshal(value, &e.Type)
		case "id":
			_ = json.Unmarshal(value, &e.ID)
		}
	}
	return e
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
