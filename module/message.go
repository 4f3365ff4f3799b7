package module

import (
	"context"
	"fmt"

	"github.com/ixtrun/ixt/ipc"
)

// Message is a call as its handler sees it.
type Message struct {
	Topic    string
	Payload  []byte
	Priority Priority
	Context  Context
}

// Context tells about the call: its trace id, who called, and an id by which a repeat can be recognised.
type Context = ipc.Context

// Priority orders calls that wait for a free instance, higher first. The zero value is Normal.
type Priority = ipc.Priority

// The four priorities.
const (
	Low    = ipc.Low
	Normal = ipc.Normal
	High   = ipc.High
	Urgent = ipc.Urgent
)

// HandlerFunc answers a call. It runs at the same time as others and should return soon after ctx ends. A nil Response is
// an empty success; what errors become is told in the package documentation, "Errors".
type HandlerFunc func(ctx context.Context, msg *Message) (*Response, error)

// Response is a successful answer: bytes, or JSON. The zero value is an empty success.
type Response struct{ data ipc.Data }

// ResponseOf returns the Response that carries data as it came over a connection. A module has no need of it.
func ResponseOf(data ipc.Data) *Response { return &Response{data} }

// Payload returns a Response that carries bytes, which must not be changed any more.
func Payload(b []byte) *Response { return &Response{ipc.PayloadData(b)} }

// JSON returns a Response that carries v: a JSON object is the data itself, any other value travels as a payload. It fails
// if v has no JSON form.
func JSON(v any) (*Response, error) {
	data, err := ipc.JSONData(v)
	if err != nil {
		return nil, fmt.Errorf("the answer cannot be encoded: %w", err)
	}
	return &Response{data}, nil
}

// Success returns a Response with the given members. It fails if a value has no JSON form.
func Success(members map[string]any) (*Response, error) {
	if members == nil {
		return &Response{}, nil
	}
	return JSON(members)
}

// Payload returns the bytes that the answer carries, and false if it carries something else.
func (r *Response) Payload() ([]byte, bool) { return r.data.Payload() }

// Decode decodes the JSON that the answer carries, as data or as a payload, into v.
func (r *Response) Decode(v any) error { return r.data.Decode(v) }

// Data returns what the answer carries, as it travels.
func (r *Response) Data() ipc.Data { return r.data }
