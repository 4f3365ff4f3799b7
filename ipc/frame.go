package ipc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"
)

// Frame limits.
const (
	// DefaultMaxFrame is the largest frame accepted unless configured, in bytes without the length prefix.
	DefaultMaxFrame = 16 << 20

	headerSize     = 4       // u32 little-endian length
	attachedBit    = 1 << 31 // in it: there is an attachment, extension "raw"
	attachmentSize = 4       // u32 little-endian, before the JSON of a frame with an attachment: the length of that JSON
	headSize       = 4 << 10 // how much of an oversize frame is looked at to find whom to answer
	firstAlloc     = 64 << 10
	trialSize      = 256 << 10 // how much of a large frame must have come before memory is spent on all of it
)

// oversizeError reports a frame over the limit that was skipped. Envelope holds what its head told: type and id, if found.
type oversizeError struct {
	size int
	head Envelope
}

func (e *oversizeError) Error() string { return "frame over the limit" }

// The buffer joins small frames into one system call. It is small, as an idle connection pays for it, until a read has filled it.
const (
	readBuffer  = 8 << 10
	largeBuffer = 32 << 10
)

// frameReader cuts a byte stream into frames.
type frameReader struct {
	stream  io.Reader
	filled  bool // a read has filled what it was given
	inside  bool // a frame has begun to come
	stopped bool // reading was to stop inside a frame
	r       *bufio.Reader
	header  [headerSize]byte
	batch   *Batch // of whoever reads: it is written before they wait; nil: none
	memory  *Memory
	known   int       // the size of the largest frame that has come whole
	came    time.Time // when what is in the buffer had come; zero: nobody has asked yet
}

// arrived is a time at which the latest frame had come.
func (f *frameReader) arrived() time.Time {
	if f.came.IsZero() {
		f.came = time.Now()
	}
	return f.came
}

// behind is how many frames of a size have been read with the last one, about.
func (f *frameReader) behind(size int) int {
	return (f.r.Buffered() + headerSize + size - 1) / (headerSize + size)
}

func newFrameReader(stream io.Reader, memory *Memory) *frameReader {
	f := &frameReader{stream: stream, memory: memory}
	f.r = bufio.NewReaderSize(f, readBuffer)
	return f
}

// Read reads from the stream itself; it is the buffer's side.
func (f *frameReader) Read(p []byte) (int, error) {
	if f.batch != nil {
		f.batch.write()
	}
	n, err := f.stream.Read(p)
	for f.inside && n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		f.stopped = true
		_ = f.stream.(stoppable).SetReadDeadline(time.Time{})
		n, err = f.stream.Read(p)
	}
	f.filled, f.came = f.filled || n == len(p), time.Time{}
	return n, err
}

// frameRules is what a frame may be. It is asked when one begins: init may have changed it since this side began to wait.
type frameRules interface {
	limit() int       // its size, in bytes
	attachable() bool // with an attachment
}

// next returns the next frame's JSON, and its attachment, nil if it has none. It returns io.EOF at a clean end, errStopped when told to,
// io.ErrUnexpectedEOF inside a frame, an *oversizeError for a frame over the limit, which has then been skipped, and a
// *ProtocolError for anything else.
//
// A peer that announces much and sends little costs little: memory for a frame larger than those before is taken when a good part
// of it has arrived.
func (f *frameReader) next(rules frameRules) (body, attached []byte, err error) {
	if f.filled && f.r.Buffered() == 0 && f.r.Size() < largeBuffer {
		f.r = bufio.NewReaderSize(f, largeBuffer)
	}
	if err := f.begin(); err != nil {
		return nil, nil, err
	}
	header := f.header[:]
	if _, err := io.ReadFull(f.r, header); err != nil {
		return nil, nil, unexpected(err)
	}
	word := binary.LittleEndian.Uint32(header)
	n, attaches := int(word&^attachedBit), word&attachedBit != 0
	switch {
	case n == 0:
		return nil, nil, protocolError(header, "a frame is empty")
	case attaches && !rules.attachable():
		return nil, nil, protocolError(header, "a frame has an attachment, but the extension was not negotiated")
	case attaches && n < attachmentSize:
		return nil, nil, protocolError(header, "a frame of %d bytes has no room for what it says of its attachment", n)
	case n > rules.limit():
		return nil, nil, f.skip(n, attaches)
	}
	frame, err := f.read(n)
	if err != nil || !attaches {
		return frame, nil, err
	}
	size := binary.LittleEndian.Uint32(frame)
	body = frame[attachmentSize:]
	if int64(size) > int64(len(body)) {
		return nil, nil, protocolError(frame, "%d bytes of JSON do not fit into a frame of %d", size, n)
	}
	return body[:size:size], body[size:], nil
}

// begin waits for the first byte of a frame.
func (f *frameReader) begin() error {
	if f.stopped {
		return errStopped
	}
	f.inside = false
	_, err := f.r.Peek(1)
	f.inside = true
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errStopped
	}
	return err
}

// errStopped says that reading was to stop, and did between two frames.
var errStopped = errors.New("reading has been stopped")

// read returns n bytes in memory of their own, which the envelope that is decoded from them shares.
func (f *frameReader) read(n int) ([]byte, error) {
	if n > max(firstAlloc, f.known) {
		return f.readLarge(n)
	}
	buf := f.memory.get(n)
	if _, err := io.ReadFull(f.r, buf); err != nil {
		return nil, unexpected(err)
	}
	return buf, nil
}

func (f *frameReader) readLarge(n int) ([]byte, error) {
	first := make([]byte, min(n, trialSize))
	if _, err := io.ReadFull(f.r, first); err != nil {
		return nil, unexpected(err)
	}
	buf := f.memory.get(n)
	if _, err := io.ReadFull(f.r, buf[copy(buf, first):]); err != nil {
		return nil, unexpected(err)
	}
	f.known = n
	return buf, nil
}

// skip discards a frame of n bytes but for its head, which it searches for type and id.
func (f *frameReader) skip(n int, attaches bool) error {
	head := make([]byte, min(n, headSize))
	if _, err := io.ReadFull(f.r, head); err != nil {
		return unexpected(err)
	}
	if _, err := io.CopyN(io.Discard, f.r, int64(n-len(head))); err != nil {
		return unexpected(err)
	}
	if attaches {
		head = head[attachmentSize:]
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
