package peer

import (
	"context"
	"math"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/ixtrun/ixt/bench/internal/load"
)

const gRPC = "gRPC"

// GRPC is gRPC over a Unix socket with the options that hashicorp/go-plugin gives it, the payload as protobuf's BytesValue.
func GRPC() Peer {
	return overSocket(gRPC, func(stream net.Conn) (load.Call, func() error, error) {
		client, err := grpc.NewClient("passthrough:///echo",
			grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return stream, nil }),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)))
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, payload []byte) ([]byte, error) {
			var answer wrapperspb.BytesValue
			err := client.Invoke(ctx, "/Echo/Say", wrapperspb.Bytes(payload), &answer)
			return answer.GetValue(), err
		}, client.Close, nil
	})
}

func serveGRPC(socket string, ready func()) error {
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Say", Handler: sayGRPC}},
	}, struct{}{})
	l, err := listen(socket, ready)
	if err != nil {
		return err
	}
	return server.Serve(l)
}

func sayGRPC(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	payload := new(wrapperspb.BytesValue)
	err := decode(payload)
	return payload, err
}
