//go:build unix

package ipc

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxParts is how many parts one system call takes on every Unix.
const maxParts = 1024

// socketBuffer is how many bytes a Unix socket is to hold, of which the system gives what it allows; only what is under way takes
// memory. A writer that finds it full is not woken before most of it has been read: a large frame would cross in steps, each of which
// wakes both sides.
const socketBuffer = 1 << 20

// socket is a stream of package net itself, past what that does around each system call: it can write without waiting, and on a busy
// stream its system calls are brief (see pace). The others are those of package syscall: for the race detector, what somebody did before
// writing with package net comes before what is done with what is read here. One goroutine at a time may read, and one write.
type socket struct {
	stoppable
	conn syscall.RawConn
	pace *pace
	in   incoming
	out  departing
}

// incoming is a Read under way.
type incoming struct {
	attempt func(fd uintptr) bool // Read's, so that no call makes a closure
	p       []byte
	n       int
	err     error
}

// departing is a write under way.
type departing struct {
	attempt func(fd uintptr) bool
	parts   net.Buffers
	n       int
	err     error
}

// newSocket returns nil if the stream is no socket of package net itself: what wraps one may want to see what crosses.
func newSocket(rw io.ReadWriteCloser) *socket {
	var stream interface {
		syscall.Conn
		stoppable
	}
	switch rw := rw.(type) {
	case *net.UnixConn:
		_ = rw.SetWriteBuffer(socketBuffer) // it works with less
		stream = rw
	case *net.TCPConn:
		stream = rw
	default:
		return nil
	}
	conn, err := stream.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{stoppable: stream, conn: conn, pace: newPace()}
	s.in.attempt, s.out.attempt = s.tryRead, s.tryWrite
	return s
}

// Read waits until something has come, and returns what has.
func (s *socket) Read(p []byte) (int, error) {
	in := &s.in
	in.p = p
	err := s.conn.Read(in.attempt)
	in.p = nil
	switch {
	case err != nil:
		return 0, err
	case in.err != nil:
		return 0, os.NewSyscallError("read", in.err)
	case in.n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return in.n, nil
}

// tryRead reports whether there is nothing to wait for.
func (s *socket) tryRead(fd uintptr) bool {
	in := &s.in
	in.n, in.err = retry(func() (int, error) {
		if s.pace.brief(len(in.p)) {
			return briefRead(fd, in.p)
		}
		return syscall.Read(int(fd), in.p)
	})
	return in.err != unix.EAGAIN
}

// write returns how many bytes the stream took without waiting.
func (s *socket) write(parts net.Buffers) (int, error) {
	out := &s.out
	out.parts, out.n, out.err = parts, 0, nil
	err := s.conn.Write(out.attempt)
	out.parts = nil
	if err == nil {
		err = out.err
	}
	return out.n, err
}

func (s *socket) tryWrite(fd uintptr) bool {
	out := &s.out
	out.n, out.err = retry(func() (int, error) {
		first := out.parts[0]
		switch {
		case len(out.parts) > 1:
			return unix.Writev(int(fd), out.parts[:min(len(out.parts), maxParts)])
		case s.pace.brief(len(first)):
			return briefWrite(fd, first)
		}
		return syscall.Write(int(fd), first)
	})
	if out.err == unix.EAGAIN {
		out.n, out.err = 0, nil
	}
	return true // whatever it was: nobody waits here
}

// end says that the stream is about to be closed.
func (s *socket) end() { s.pace.end() }

// retry repeats a system call that a signal has interrupted. An error leaves nothing read or written.
func retry(call func() (int, error)) (int, error) {
	for {
		switch n, err := call(); {
		case err == nil:
			return n, nil
		case err != unix.EINTR:
			return 0, err
		}
	}
}
