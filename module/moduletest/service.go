package moduletest

import (
	"context"
	"encoding/json"

	"github.com/ixtrun/ixt/ipc"
)

// serve answers the module's service requests as a supervisor does.
func (h *Harness) serve(ctx context.Context, req *ipc.Envelope) (json.RawMessage, error) {
	if req.Type != ipc.TypeServiceRequest {
		return nil, ipc.UnknownType(req)
	}
	serve, ok := map[string]func(context.Context, *ipc.Envelope) (any, error){
		ipc.ServiceMessageBus: h.message,
		ipc.ServiceEvents:     h.event,
		ipc.ServiceKV:         h.keyValue,
		ipc.ServiceBlob:       h.blob,
	}[req.Service]
	if !ok {
		return nil, hostError(ipc.CodeNoProvider, "the harness has no service %q", req.Service)
	}
	result, err := serve(ctx, req)
	if err != nil || result == nil {
		return nil, err
	}
	return json.Marshal(result)
}

// decode reads the params of a request.
func decode[Params any](req *ipc.Envelope) (Params, error) {
	var p Params
	if len(req.Params) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(req.Params, &p); err != nil {
		return p, hostError(ipc.CodeInvalidInput, "the params of %s.%s cannot be decoded: %v", req.Service, req.Method, err)
	}
	return p, nil
}

func noMethod(req *ipc.Envelope) error {
	return hostError(ipc.CodeNoProvider, "the harness has no method %s.%s", req.Service, req.Method)
}

// hostError is an error of the host's own: no module has seen the request.
func hostError(code, format string, args ...any) *ipc.Error {
	e := ipc.Errorf(code, format, args...)
	e.Outcome, e.Origin = ipc.NotDelivered, ipc.Supervisor
	return e
}

// sizeError is TOO_LARGE for a payload that no service takes, otherwise nil.
func sizeError(payload []byte) error {
	if len(payload) > ipc.MaxChunk {
		return hostError(ipc.CodeTooLarge, "%d bytes are more than the %d that fit", len(payload), ipc.MaxChunk)
	}
	return nil
}
