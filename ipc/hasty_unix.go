//go:build unix

package ipc

import (
	"io"
	"net"
	"syscall"
)

// hasty writes to a socket what that takes at once. One caller at a time.
type hasty struct {
	conn    syscall.RawConn
	attempt func(fd uintptr) bool // try, so that no call makes a closure
	b       []byte
	n       int
	err     error
}

// newHasty returns nil if the stream is no socket of package net itself: what wraps one may want to see what is written.
func newHasty(rw io.ReadWriteCloser) *hasty {
	var socket syscall.Conn
	switch rw := rw.(type) {
	case *net.UnixConn:
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
func (h *hasty) write(b []byte) (int, error) {
	h.b, h.n, h.err = b, 0, nil
	if err := h.conn.Write(h.attempt); err != nil {
		h.err = err
	}
	h.b = nil
	return h.n, h.err
}

func (h *hasty) try(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), h.b)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
		case err != nil:
			h.err = err
		default:
			h.n = n
		}
		return true // whatever it was: nobody waits here
	}
}
