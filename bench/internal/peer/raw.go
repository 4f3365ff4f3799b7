package peer

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"

	"github.com/ixtrun/ixt/bench/internal/load"
)

const raw = "raw socket"

// Raw is the physical limit: a length and the bytes, back and forth over a Unix socket, one at a time, nothing encoded and
// nothing allocated. It serves one caller only.
func Raw() Peer {
	return overSocket(raw, func(stream net.Conn) (load.Call, func() error, error) {
		ends := newFrames(stream)
		return func(_ context.Context, payload []byte) ([]byte, error) {
			if err := ends.write(payload); err != nil {
				return nil, err
			}
			return ends.read()
		}, stream.Close, nil
	})
}

func serveRaw(socket string, ready func()) error {
	l, err := listen(socket, ready)
	if err != nil {
		return err
	}
	stream, err := l.Accept()
	if err != nil {
		return err
	}
	ends := newFrames(stream)
	for {
		payload, err := ends.read()
		if err != nil {
			return nil // the caller has hung up
		}
		if err := ends.write(payload); err != nil {
			return nil
		}
	}
}

// frames reads and writes length-prefixed frames; what it reads is valid until the next read.
type frames struct {
	w       io.Writer
	r       *bufio.Reader
	in, out []byte
}

// newFrames gives the socket room for a whole frame of 1 MiB, as ixt does: otherwise that goes in steps.
func newFrames(stream net.Conn) frames {
	_ = stream.(*net.UnixConn).SetWriteBuffer(1 << 20)
	return frames{w: stream, r: bufio.NewReaderSize(stream, 4<<10)}
}

func (f *frames) write(payload []byte) error {
	f.out = append(binary.LittleEndian.AppendUint32(f.out[:0], uint32(len(payload))), payload...)
	_, err := f.w.Write(f.out)
	return err
}

func (f *frames) read() ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(f.r, header[:]); err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint32(header[:]))
	if cap(f.in) < n {
		f.in = make([]byte, n)
	}
	f.in = f.in[:n]
	_, err := io.ReadFull(f.r, f.in)
	return f.in, err
}
