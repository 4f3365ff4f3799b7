package module

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/ixtrun/ixt/ipc"
)

// HandleJSON registers f for a topic whose payload is JSON; its result is the answer, as JSON makes it. A payload that
// does not fit In is answered INVALID_INPUT with the member's name and what was expected there, and so is one with a member
// that In does not have; an absent member leaves the zero value. In may be struct{} for a topic that takes no input.
func HandleJSON[In, Out any](in *Init, topic string, f func(context.Context, In) (Out, error)) {
	if f == nil {
		in.Handle(topic, nil)
		return
	}
	in.Handle(topic, func(ctx context.Context, msg *Message) (*Response, error) {
		var input In
		if err := decodeInput(msg.Payload, &input); err != nil {
			return nil, err
		}
		out, err := f(ctx, input)
		if err != nil {
			return nil, err
		}
		return JSON(out)
	})
}

// CallJSON calls a topic of another module with in as JSON and decodes the answer's JSON into Out. in may be nil for a topic
// that takes no input. The error is an *Error; an answer that does not fit Out is one with outcome Done.
func CallJSON[Out any](ctx context.Context, host *Host, topic string, in any) (Out, error) {
	var out Out
	var payload []byte
	if in != nil {
		var err error
		if payload, err = json.Marshal(in); err != nil {
			return out, host.failed(CodeInvalidInput, NotDelivered, "the input of %s cannot be encoded: %v", topic, err)
		}
	}
	answer, err := host.Call(ctx, topic, payload)
	if err != nil {
		return out, err
	}
	if err := answer.Decode(&out); err != nil {
		return out, host.failed(CodeHandlerError, Done, "the answer of %s does not fit: %v", topic, err)
	}
	return out, nil
}

// decodeInput decodes a payload into v; the error is INVALID_INPUT.
func decodeInput(payload []byte, v any) error {
	if t := reflect.TypeOf(v).Elem(); len(payload) == 0 && t.Kind() == reflect.Struct && t.NumField() == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return Errorf(ipc.CodeInvalidInput, "payload: something follows the JSON value, at byte %d", dec.InputOffset())
		}
		return nil
	}
	return Errorf(ipc.CodeInvalidInput, "%s", describeInput(err, v))
}

// describeInput says what is wrong with a payload in the caller's words, not in Go's.
func describeInput(err error, v any) string {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Sprintf("payload: is empty, expected %s", expected(reflect.TypeOf(v)))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "payload: the JSON is cut off"
	case errors.As(err, &syntax):
		return fmt.Sprintf("payload: not JSON: %v, at byte %d", syntax, syntax.Offset)
	case errors.As(err, &kind):
		at := "payload"
		if kind.Field != "" {
			at += "." + kind.Field
		}
		return fmt.Sprintf("%s: is %s, expected %s", at, article(kind.Value), expected(kind.Type))
	}
	return "payload: " + strings.TrimPrefix(err.Error(), "json: ")
}

// expected describes the JSON that a Go type takes.
func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return expected(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return wholeNumber(t, true)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return wholeNumber(t, false)
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a " + t.String()
}

// wholeNumber names the range where it is small enough to be met by accident.
func wholeNumber(t reflect.Type, signed bool) string {
	bits := t.Bits()
	switch {
	case bits > 32:
		if signed {
			return "a whole number"
		}
		return "a whole number, not negative"
	case signed:
		return fmt.Sprintf("a whole number from %d to %d", -(int64(1) << (bits - 1)), int64(1)<<(bits-1)-1)
	}
	return fmt.Sprintf("a whole number from 0 to %d", uint64(1)<<bits-1)
}

// article puts one before the names encoding/json has for JSON values: "string", "number 1.5", "array", "bool".
func article(value string) string {
	kind, rest, _ := strings.Cut(value, " ")
	switch kind {
	case "number":
		if rest != "" {
			return rest
		}
	case "bool":
		return "a boolean"
	case "array", "object":
		return "an " + kind
	}
	return "a " + kind
}
