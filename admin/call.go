package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// maxBody bounds a request: the largest frame, with room for what is around the payload.
const maxBody = ipc.DefaultMaxFrame + 64<<10

// CallRequest is the body of POST /v1/call.
type CallRequest struct {
	Topic    string       `json:"topic"`
	Target   string       `json:"target,omitempty"`   // only this one: name, name:version or name:version/instance-002
	Payload  []byte       `json:"payload,omitempty"`  // base64
	Priority ipc.Priority `json:"priority"`           // 0 low, 1 normal (default), 2 high, 3 urgent
	TTLMS    int64        `json:"ttl_ms,omitempty"`   // the call's limit; 0: the topic's timeout
	TraceID  string       `json:"trace_id,omitempty"` // default: a new one
}

// CallAnswer is the answer to POST /v1/call.
type CallAnswer struct {
	Data json.RawMessage `json:"data"` // a JSON object; by convention bytes travel as base64 under "payload"
}

func (s *Server) call(r *http.Request) (any, error) {
	var req CallRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, ipc.Refuse(ipc.CodeFrameTooLarge, "the request is longer than %d bytes", large.Limit)
		}
		return nil, ipc.Refuse(ipc.CodeInvalidInput, "the request's body: %v", err)
	}
	if req.Topic == "" {
		return nil, ipc.Refuse(ipc.CodeInvalidInput, "the request names no topic")
	}
	answer, err := s.sup.Call(r.Context(), supervisor.Message{
		Topic: req.Topic, Target: req.Target, Payload: req.Payload, Priority: req.Priority, TTL: time.Duration(req.TTLMS) * time.Millisecond, TraceID: req.TraceID,
	})
	if err != nil {
		return nil, err
	}
	return CallAnswer{Data: answer.JSON()}, nil
}
