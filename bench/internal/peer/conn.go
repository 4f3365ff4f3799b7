package peer

import (
	"context"
	"net"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/ipc"
)

const conn = "ixt conn"

// about is what a supervisor tells each handler of its call: so much is in these frames, too.
var about = &ipc.Context{
	TraceID: "0af7651916cd43dd8448eb211c80319c", SourceModule: "host", Timestamp: 1234567890, CallID: "8448eb211c80319c", Attempt: 1,
}

// Conn is our wire alone: two ipc.Conn over a Unix socket, no supervisor, no router, no SDK.
func Conn() Peer {
	return overSocket(conn, func(stream net.Conn) (load.Call, func() error, error) {
		host, err := Greet(context.Background(), stream)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, payload []byte) ([]byte, error) {
			data, err := host.Handle(ctx, &ipc.Message{Topic: "echo.say", Payload: ipc.EncodePayload(payload)}, about, nil)
			got, _ := data.Payload() // what is no payload is not equal to it either
			return got, err
		}, func() error { host.Close(); return nil }, nil
	})
}

// Greet opens a conversation with the module at the other end of stream: when it returns, the module can be called.
func Greet(ctx context.Context, stream net.Conn) (*ipc.Conn, error) {
	host := ipc.NewConn(stream, nil)
	go func() { _ = host.Run(context.Background()) }() // ends with Close or with the module
	_, err := host.Init(ctx, ipc.InitParams{Protocol: ipc.Version, ModuleID: "echo:1.0.0/instance-001", Extensions: []string{ipc.ExtCancel, ipc.ExtRaw}})
	if err != nil {
		host.Close()
		return nil, err
	}
	return host, nil
}

func serveConn(socket string, ready func()) error {
	l, err := listen(socket, ready)
	if err != nil {
		return err
	}
	stream, err := l.Accept()
	if err != nil {
		return err
	}
	var module *ipc.Conn
	module = ipc.NewConn(stream, &ipc.Options{Direct: true, Handler: func(_ context.Context, req *ipc.Envelope) (ipc.Data, error) {
		switch req.Type {
		case ipc.TypeInit:
			module.Enable(req.Extensions, req.MaxFrame)
			return ipc.JSONData(ipc.InitResult{Extensions: req.Extensions, MaxConcurrency: 64})
		case ipc.TypeHandle:
			payload, err := req.Message.Payload.Decode()
			return ipc.PayloadData(payload), err
		}
		return ipc.Data{}, ipc.UnknownType(req)
	}})
	_ = module.Run(context.Background()) // ends when the host hangs up
	return nil
}
