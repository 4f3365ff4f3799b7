package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"

	"github.com/ixtrun/ixt/ipc"
)

// Ask asks a host service (docs/host-services.md); params and result are the structs of package ipc that belong to the method.
// result may be nil. The error is an [*ipc.Error], unless the supervisor could not be reached.
func (c *Client) Ask(ctx context.Context, service, method string, params, result any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return err
	}
	if result == nil {
		result = new(json.RawMessage)
	}
	return c.exchange(ctx, http.MethodPost, c.endpoint("services", service, method), body, result)
}

// Attend subscribes to events, or watches keys, and yields what comes until ctx ends, the supervisor stops or there is an error,
// which is then the last it yields. The first value has no subscription: it says that everything from here on will come.
func (c *Client) Attend(ctx context.Context, service, method string, params any) iter.Seq2[ipc.Event, error] {
	text, err := json.Marshal(params)
	if err != nil {
		return func(yield func(ipc.Event, error) bool) { yield(ipc.Event{}, err) }
	}
	return lines[ipc.Event](ctx, c, url.Values{"params": {string(text)}}, "services", service, method)
}

// ask serves POST /v1/services/{service}/{method}: the body is the params, the answer is the result.
func (s *Server) ask(r *http.Request) (any, error) {
	params, err := io.ReadAll(r.Body)
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, ipc.Refuse(ipc.CodeFrameTooLarge, "the request is longer than %d bytes", large.Limit)
		}
		return nil, ipc.Refuse(ipc.CodeInvalidInput, "the request's body: %v", err)
	}
	if !json.Valid(params) {
		return nil, ipc.Refuse(ipc.CodeInvalidInput, "the request's body is not JSON")
	}
	g := s.sup.Guest(nil)
	defer g.Close()
	return g.Ask(r.Context(), r.PathValue("service"), r.PathValue("method"), ipc.ObjectData(params))
}

// attend serves GET /v1/services/{service}/{method}?params=...: one event per line, the first of them empty.
func (s *Server) attend(w http.ResponseWriter, r *http.Request) {
	params := json.RawMessage(r.FormValue("params"))
	if !json.Valid(params) {
		refuse(w, ipc.Refuse(ipc.CodeInvalidInput, "params is not JSON"))
		return
	}
	var out *lineWriter
	begun := func() error {
		out = newLineWriter(w)
		return errors.Join(out.write(ipc.Event{}), out.flush())
	}
	err := s.sup.Attend(r.Context(), r.PathValue("service"), r.PathValue("method"), ipc.ObjectData(params), begun, func(e ipc.Event) error {
		return errors.Join(out.write(e), out.flush())
	})
	if err != nil && out == nil {
		refuse(w, err)
	}
}
