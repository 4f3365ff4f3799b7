package ipc_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// Both ends of a connection in one program: a host that calls, and a module that answers.
func ExampleConn() {
	host, module := ipc.Pipe()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var running sync.WaitGroup

	var server *ipc.Conn
	server = ipc.NewConn(module, &ipc.Options{
		Handler: func(_ context.Context, req *ipc.Envelope) (ipc.Data, error) {
			switch req.Type {
			case ipc.TypeInit:
				server.Enable([]string{ipc.ExtCancel}, req.MaxFrame)
				return ipc.JSONData(ipc.InitResult{SDK: "example/1.0.0", Extensions: []string{ipc.ExtCancel}, MaxConcurrency: 4})
			case ipc.TypeHandle:
				name, err := req.Message.Payload.Decode()
				if err != nil {
					return ipc.Data{}, err
				}
				return ipc.PayloadData(fmt.Appendf(nil, "hello, %s", name)), nil
			case ipc.TypeShutdown:
				server.Drain()
				return ipc.Data{}, nil
			}
			return ipc.Data{}, ipc.UnknownType(req)
		},
	})
	var end error
	running.Go(func() { end = server.Run(ctx) })

	client := ipc.NewConn(host, nil)
	running.Go(func() { _ = client.Run(ctx) }) // ends when the module has left

	started, err := client.Init(ctx, ipc.InitParams{Protocol: ipc.Version, ModuleID: "greet:1.0.0/instance-001", Extensions: []string{ipc.ExtCancel}})
	fmt.Println(started.SDK, started.MaxConcurrency, err)

	data, err := client.Handle(ctx, &ipc.Message{Topic: "greet", Payload: ipc.EncodePayload([]byte("world"))}, &ipc.Context{SourceModule: "host"}, nil)
	payload, _ := data.Payload()
	fmt.Println(string(payload), err)

	_, err = client.Handle(ctx, &ipc.Message{Topic: "greet", Payload: ipc.PayloadText("not base64")}, &ipc.Context{SourceModule: "host"}, nil)
	fmt.Println(err.(*ipc.Error).Code, ipc.OutcomeOf(err))

	fmt.Println("shutdown:", client.Shutdown(ctx, time.Second))
	running.Wait()
	fmt.Println("module:", end)
	// Output:
	// example/1.0.0 4 <nil>
	// hello, world <nil>
	// INVALID_INPUT done
	// shutdown: <nil>
	// module: <nil>
}
