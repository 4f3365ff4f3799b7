package tests

import (
	"context"
	"encoding/json"
	"net"

	"github.com/ixtrun/ixt/ipc"
)

// ask is what an asking module wants of its host: the payload of a call to it.
type ask struct {
	Service string          `json:"service"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// converseAsking answers calls with what the host's services say to the request that is the call's payload.
func converseAsking(conn net.Conn) int {
	var c *ipc.Conn
	c = ipc.NewConn(conn, &ipc.Options{Handler: func(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
		switch req.Type {
		case ipc.TypeInit:
			return ipc.ObjectData([]byte(wide)), nil
		case ipc.TypeHandle:
			payload, err := req.Message.Payload.Decode()
			if err != nil {
				return ipc.Data{}, err
			}
			var a ask
			if err := json.Unmarshal(payload, &a); err != nil {
				return ipc.Data{}, err
			}
			data, err := c.Service(ctx, ipc.ServiceRequest{Service: a.Service, Method: a.Method, Params: ipc.ObjectData(a.Params), Parent: req.ID})
			if err != nil {
				e := ipc.AsError(err, ipc.CodeHandlerError)
				return ipc.Data{}, ipc.Errorf(e.Code, "%s", e.Message)
			}
			return data, nil
		case ipc.TypeShutdown:
			c.Drain()
		}
		return ipc.ObjectData([]byte(serial)), nil
	}})
	_ = c.Run(context.Background())
	return 0
}
