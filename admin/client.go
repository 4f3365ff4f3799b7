package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

// Client asks a running supervisor. Its methods return what the server said as an [*ipc.Error]; a server that cannot be
// reached is a [*NoSupervisorError] or a [*PermissionError].
type Client struct {
	http http.Client
	node string // that is meant; "": whoever answers
}

// NewClient returns a client of the supervisor that answers at the first of paths; nil means [SocketPaths] without a flag.
// It connects with each request anew, so it may be made before the supervisor is there and outlives its restarts.
func NewClient(paths []string) *Client {
	if paths == nil {
		paths = SocketPaths("", "")
	}
	return &Client{http: http.Client{Transport: &http.Transport{
		DisableKeepAlives:  true,
		DisableCompression: true,
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, paths) },
	}}}
}

// Version says who answers.
func (c *Client) Version(ctx context.Context) (Info, error) {
	return get[Info](ctx, c, "version")
}

// Modules returns the status of every module, by name.
func (c *Client) Modules(ctx context.Context) ([]supervisor.ModuleStatus, error) {
	return get[[]supervisor.ModuleStatus](ctx, c, "modules")
}

// Module returns the status of one module.
func (c *Client) Module(ctx context.Context, name string) (supervisor.ModuleStatus, error) {
	return get[supervisor.ModuleStatus](ctx, c, "modules", name)
}

// Settings returns every effective value of a module with its origin; secrets are masked.
func (c *Client) Settings(ctx context.Context, name string) ([]manifest.Setting, error) {
	return get[[]manifest.Setting](ctx, c, "modules", name, "config")
}

// Start makes a module run; it does not wait until it is ready.
func (c *Client) Start(ctx context.Context, name string) (supervisor.ModuleStatus, error) {
	return c.command(ctx, name, "start")
}

// Stop stops a module and returns when nothing of it is left.
func (c *Client) Stop(ctx context.Context, name string) (supervisor.ModuleStatus, error) {
	return c.command(ctx, name, "stop")
}

// Restart replaces a module's processes and returns when the new ones are ready.
func (c *Client) Restart(ctx context.Context, name string) (supervisor.ModuleStatus, error) {
	return c.command(ctx, name, "restart")
}

func (c *Client) command(ctx context.Context, name, command string) (status supervisor.ModuleStatus, err error) {
	err = c.exchange(ctx, http.MethodPost, c.endpoint("modules", name, command), nil, &status)
	return status, err
}

// Call calls a topic and returns the answer's data, a JSON object. The end of ctx cancels the call. The error is an
// [*ipc.Error] with its outcome, unless the supervisor could not be reached: then no module saw the call.
func (c *Client) Call(ctx context.Context, req CallRequest) (json.RawMessage, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, ipc.Refuse(ipc.CodeFrameTooLarge, "a payload of %d bytes does not fit into a frame of %d", len(req.Payload), ipc.DefaultMaxFrame)
	}
	var answer CallAnswer
	if err := c.exchange(ctx, http.MethodPost, c.endpoint("call"), body, &answer); err != nil {
		return nil, callError(err)
	}
	return answer.Data, nil
}

// Origin is the origin of errors that this side of the socket produced: the supervisor may know more.
const Origin = "client"

// callError says of an error without an outcome what it means for the call: only a supervisor that was never reached
// proves anything.
func callError(err error) error {
	var (
		e      *ipc.Error
		nobody *NoSupervisorError
		denied *PermissionError
	)
	switch {
	case errors.As(err, &e), errors.As(err, &nobody), errors.As(err, &denied):
		return err
	}
	e = ipc.AsError(err, ipc.CodeProtocolError)
	e.Outcome, e.Origin = ipc.Unknown, Origin
	return e
}

// get asks for one JSON value.
func get[T any](ctx context.Context, c *Client, path ...string) (v T, err error) {
	err = c.exchange(ctx, http.MethodGet, c.endpoint(path...), nil, &v)
	return v, err
}

// endpoint is the URL of a path whose segments may hold anything.
func (c *Client) endpoint(segments ...string) *url.URL {
	u := &url.URL{Scheme: "http", Host: "ixt", Path: "/v1"}
	if c.node != "" {
		u = u.JoinPath("nodes", url.PathEscape(c.node))
	}
	escaped := make([]string, len(segments))
	for i, s := range segments {
		escaped[i] = url.PathEscape(s)
	}
	return u.JoinPath(escaped...)
}

// exchange sends one request and decodes the answer into v.
func (c *Client) exchange(ctx context.Context, method string, u *url.URL, body []byte, v any) error {
	response, err := c.send(ctx, method, u, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(v); err != nil {
		return fmt.Errorf("the supervisor's answer to %s %s: %w", method, u.Path, err)
	}
	return nil
}

// send returns a response that is not an error; the caller closes its body.
func (c *Client) send(ctx context.Context, method string, u *url.URL, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err // the URL is an invention of ours and tells nobody anything
		}
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	return nil, failure(response)
}

// failure turns an error's body back into the error.
func failure(response *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return err
	}
	var e ipc.Error
	if json.Unmarshal(text, &e) != nil || e.Code == "" {
		return fmt.Errorf("whoever answers at the admin socket is no supervisor of ours: %s", response.Status)
	}
	return &e
}
