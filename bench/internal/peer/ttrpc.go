package peer

import (
	"context"
	"net"

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/ixtrun/ixt/bench/internal/load"
)

const ttRPC = "ttrpc"

// TTRPC is containerd/ttrpc over a Unix socket, the payload as protobuf's BytesValue.
func TTRPC() Peer {
	return overSocket(ttRPC, func(stream net.Conn) (load.Call, func() error, error) {
		client := ttrpc.NewClient(stream)
		return func(ctx context.Context, payload []byte) ([]byte, error) {
			var answer wrapperspb.BytesValue
			err := client.Call(ctx, "Echo", "Say", wrapperspb.Bytes(payload), &answer)
			return answer.GetValue(), err
		}, client.Close, nil
	})
}

func serveTTRPC(socket string, ready func()) error {
	server, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	server.RegisterService("Echo", &ttrpc.ServiceDesc{Methods: map[string]ttrpc.Method{
		"Say": func(_ context.Context, decode func(any) error) (any, error) {
			payload := new(wrapperspb.BytesValue)
			err := decode(payload)
			return payload, err
		},
	}})
	l, err := listen(socket, ready)
	if err != nil {
		return err
	}
	return server.Serve(context.Background(), l)
}
