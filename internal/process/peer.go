package process

import (
	"fmt"
	"net"
)

// Peer is who is at the other end of a Unix socket, as the kernel recorded it when that end connected.
type Peer struct {
	PID int // 0 if the process cannot be seen from here, as from within a container
	UID int
	GID int
}

// PeerOf asks the kernel. It leaves the connection as it is: conn.File would duplicate it and make it blocking.
func PeerOf(conn *net.UnixConn) (Peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	var peer Peer
	var lookup error
	if err := raw.Control(func(fd uintptr) { peer, lookup = peerOf(int(fd)) }); err != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	if lookup != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", lookup)
	}
	return peer, nil
}
