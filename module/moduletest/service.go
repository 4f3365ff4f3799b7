package moduletest

import (
	"context"

	"github.com/ixtrun/ixt/ipc"
)

// serve answers the module's service requests as a supervisor does.
func (h *Harness) serve(ctx context.Context, req *ipc.Envelope) (ipc.Data, error) {
	if req.Type != ipc.TypeServiceRequest {
		return ipc.Data{}, ipc.UnknownType(req)
	}
	serve, ok := map[string]func(context.Context, *ipc.Envelope) (any, error){
		ipc.ServiceMessageBus: h.message,
		ipc.ServiceEvents:     h.event,
		ipc.ServiceKV:         h.keyValue,
		ipc.ServiceBlob:       h.blob,
	}[req.Service]
	if !ok {
		return ipc.Data{}, ipc.Refuse(ipc.CodeNoProvider, "the harness has no service %q", req.Service)
	}
	result, err := serve(ctx, req)
	if err != nil || result == nil {
		return ipc.Data{}, err
	}
	if data, ok := result.(ipc.Data); ok {
		return data, nil
	}
	return ipc.Pack(result)
}

// decode reads the params of a request.
func decode[Params any](req *ipc.Envelope) (Params, error) {
	var p Params
	err := ipc.DecodeParams(req.Service, req.Method, req.Params, &p)
	return p, err
}

func noMethod(req *ipc.Envelope) error {
	return ipc.Refuse(ipc.CodeNoProvider, "the harness has no method %s.%s", req.Service, req.Method)
}

// sizeError is TOO_LARGE for a payload that no service takes, otherwise nil.
func sizeError(payload []byte) error {
	if len(payload) > ipc.MaxChunk {
		return ipc.Refuse(ipc.CodeTooLarge, "%d bytes are more than the %d that fit", len(payload), ipc.MaxChunk)
	}
	return nil
}
