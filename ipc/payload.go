package ipc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"unsafe"
)

// Payload is bytes on their way. They keep the form in which they came until they are written or asked for: what is only forwarded
// is never decoded. The zero value is no bytes.
type Payload struct {
	b    []byte
	form form
}

// form is what a Payload's b is, if it has one.
type form uint8

const (
	none     form = iota // there is no payload
	inBase64             // as it stood in a frame
	asBytes              // which nobody changes
	borrowed             // as bytes, in memory of somebody who may change it as soon as they have an answer, or give up
)

// EncodePayload returns a Payload of b, which must not be changed as long as a call that has it goes on.
func EncodePayload(b []byte) Payload { return Payload{b, borrowed} }

// OwnPayload returns a Payload of b itself, which nobody may change any more.
func OwnPayload(b []byte) Payload { return Payload{b, asBytes} }

// Own returns a Payload that shares nothing with what EncodePayload was given.
func (p Payload) Own() Payload {
	if p.form == borrowed {
		return Payload{bytes.Clone(p.b), asBytes}
	}
	return p
}

// PayloadText returns the Payload that stands in JSON as text. It is not checked before Decode.
func PayloadText(s string) Payload {
	if s == "" {
		return Payload{}
	}
	return Payload{unsafe.Slice(unsafe.StringData(s), len(s)), inBase64}
}

// IsZero reports whether there are no bytes.
func (p Payload) IsZero() bool { return len(p.b) == 0 }

// Size is the number of bytes; of text that is not base64, about that.
func (p Payload) Size() int {
	if p.form != inBase64 {
		return len(p.b)
	}
	padding := bytes.Count(p.b[max(0, len(p.b)-2):], []byte("="))
	return base64.StdEncoding.DecodedLen(len(p.b)) - padding
}

// Decode returns the bytes; they are the Payload's own. Text that is not standard base64 is an INVALID_INPUT error.
func (p Payload) Decode() ([]byte, error) {
	switch p.form {
	case none:
		return []byte{}, nil
	case asBytes, borrowed:
		return p.b, nil
	}
	b, err := decodeBase64(p.b)
	if err != nil {
		return nil, Errorf(CodeInvalidInput, "payload is not base64: %v", err)
	}
	return b, nil
}

// Text returns the bytes as they stand in JSON, in base64.
func (p Payload) Text() string {
	if p.form == inBase64 {
		return unsafe.String(unsafe.SliceData(p.b), len(p.b)) // which nobody changes
	}
	b := appendBase64(make([]byte, 0, p.textSize()), p.b)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// textSize is the length of Text.
func (p Payload) textSize() int {
	if p.form == inBase64 {
		return len(p.b)
	}
	return base64.StdEncoding.EncodedLen(len(p.b))
}

// MarshalJSON writes Text.
func (p Payload) MarshalJSON() ([]byte, error) {
	text := p.Text()
	if !plain([]byte(text)) {
		return json.Marshal(text)
	}
	return slices.Concat([]byte(`"`), []byte(text), []byte(`"`)), nil
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (p *Payload) UnmarshalJSON(b []byte) error {
	var s string
	err := json.Unmarshal(b, &s)
	*p = PayloadText(s)
	return err
}
