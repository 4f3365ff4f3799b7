//go:build unix

package ipc

import (
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxParts is how many parts one system call takes on every Unix.
const maxParts = 1024

// socketBuffer is how many bytes a Unix socket is to hold, of which the system gives what it allows; only what is under way takes
// memory. A writer that finds it full is not woken before most of it has been read: a large frame would cross in steps, each of which
// wakes both sides.
const socketBuffer = 1 << 20

// hasty writes to a socket what that takes at once. One caller at a time.
type hasty struct {
	conn    syscall.RawConn
	attempt func(fd uintptr) bool // try, so that no call makes a closure
	parts   net.Buffers
	n       int
	err     error
}

// newHasty returns nil if the stream is no socket of package net itself: what wraps one may want to see what is written.
func newHasty(rw io.ReadWriteCloser) *hasty {
	var socket syscall.Conn
	switch rw := rw.(type) {
	case *net.UnixConn:
		_ = rw.SetWriteBuffer(socketBuffer) // it works with less
		socket = rw
	case *net.TCPConn:
		socket = rw
	default:
		return nil
	}
	conn, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	h := &hasty{conn: conn}
	h.attempt = h.try
	return h
}

// write returns how many bytes the stream took without waiting.
func (h *hasty) write(parts net.Buffers) (int, error) {
	h.parts, h.n, h.err = parts, 0, nil
	if err := h.conn.Write(h.attempt); err != nil {
		h.err = err
	}
	h.parts = nil
	return h.n, h.err
}

func (h *hasty) try(fd uintptr) bool {
	for {
		var n int
		var err error
		if len(h.parts) == 1 {
			n, err = unix.Write(int(fd), h.parts[0])
		} else {
			n, err = unix.Writev(int(fd), h.parts[:min(len(h.parts), maxParts)])
		}
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
		case err != nil:
			h.err = err
		default:
			h.n = n
		}
		return true // whatever it was: nobody waits here
	}
}
