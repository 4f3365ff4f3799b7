package peer

import (
	"context"
	"net"
	"net/rpc"

	"github.com/ixtrun/ixt/bench/internal/load"
)

const netRPC = "net/rpc"

// NetRPC is the standard library's net/rpc with gob over a Unix socket.
func NetRPC() Peer {
	return overSocket(netRPC, func(stream net.Conn) (load.Call, func() error, error) {
		client := rpc.NewClient(stream)
		return func(_ context.Context, payload []byte) (answer []byte, err error) {
			err = client.Call("Echo.Say", payload, &answer)
			return answer, err
		}, client.Close, nil
	})
}

func serveNetRPC(socket string, ready func()) error {
	server := rpc.NewServer()
	if err := server.RegisterName("Echo", rpcEcho{}); err != nil {
		return err
	}
	l, err := listen(socket, ready)
	if err != nil {
		return err
	}
	server.Accept(l)
	return nil
}

type rpcEcho struct{}

// Say answers with what it is told.
func (rpcEcho) Say(payload []byte, answer *[]byte) error {
	*answer = payload
	return nil
}
