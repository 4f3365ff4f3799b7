package ipc

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
)

// Data is what an answer carries, and the params of a service request: a JSON object, whose member "payload" may be apart as bytes.
// The zero value is the empty object.
type Data struct {
	object  json.RawMessage // without the payload if that is apart
	payload Payload
}

// apart reports whether there is a payload beside the object.
func (d Data) apart() bool { return d.payload.form != none }

// ObjectData returns the Data that is a JSON object, which is not checked; nil counts as {}.
func ObjectData(object json.RawMessage) Data { return Data{object: object} }

// PayloadData returns the Data that carries b and nothing else. b must not be changed any more.
func PayloadData(b []byte) Data { return Data{payload: OwnPayload(b)} }

// JSONData returns v as an answer's data: a JSON object travels as the data itself, any other value as a payload.
func JSONData(v any) (Data, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Data{}, err
	}
	if len(b) > 0 && b[0] == '{' {
		return ObjectData(b), nil
	}
	return PayloadData(b), nil
}

// Payload returns the bytes that the data carries under "payload", and false if it has another shape: other members beside it,
// or none.
func (d Data) Payload() ([]byte, bool) {
	var p Payload
	var ok bool
	if d.apart() {
		p, ok = d.payload, emptyObject(d.object)
	} else {
		p, ok = onlyPayload(d.object)
	}
	if !ok {
		return nil, false
	}
	b, err := p.Decode()
	return b, err == nil
}

// onlyPayload finds the payload in an object that has no other member.
func onlyPayload(object json.RawMessage) (p Payload, ok bool) {
	if b, ok := payloadText(object); ok {
		return Payload{b, inBase64}, true
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil || len(members) != 1 {
		return p, false
	}
	value, ok := members["payload"]
	return p, ok && json.Unmarshal(value, &p) == nil
}

// JSON returns the whole object, a payload in base64.
func (d Data) JSON() json.RawMessage {
	switch {
	case d.apart():
		payload, _ := d.payload.MarshalJSON() // text always has a JSON form
		if emptyObject(d.object) {
			return slices.Concat([]byte(`{"payload":`), payload, []byte("}"))
		}
		return slices.Concat([]byte(`{"payload":`), payload, []byte(","), bytes.TrimSpace(d.object)[1:])
	case len(d.object) == 0:
		return json.RawMessage("{}")
	}
	return d.object
}

// IsZero reports whether there is nothing, not even an object.
func (d Data) IsZero() bool { return len(d.object) == 0 && !d.apart() }

// MarshalJSON writes JSON.
func (d Data) MarshalJSON() ([]byte, error) { return d.JSON(), nil }

// UnmarshalJSON is the inverse of MarshalJSON.
func (d *Data) UnmarshalJSON(b []byte) error {
	*d = ObjectData(bytes.Clone(b))
	return nil
}

// Decode is the inverse of JSONData: it decodes the JSON that an answer carries into v.
func (d Data) Decode(v any) error {
	b, ok := d.Payload()
	if !ok {
		b = d.JSON()
	}
	if len(b) == 0 {
		return errors.New("the answer carries no JSON")
	}
	return json.Unmarshal(b, v)
}

// carrier is a struct of params or of a result, one of whose members is a payload. always says that the member is there even if
// the payload is empty.
type carrier interface {
	carried() (p *Payload, always bool)
}

// packer is a struct of params or of a result that is written by appends, as usual envelopes are; false if its JSON is not usual.
type packer interface {
	encode() (json.RawMessage, bool)
}

// Pack returns params or a result as Data. If v points to a struct of this package that has a payload, that is apart, which is
// cheaper.
func Pack(v any) (Data, error) {
	var d Data
	if c, ok := v.(carrier); ok {
		at, always := c.carried()
		if always || !at.IsZero() {
			whole := *at
			if d.payload = whole; whole.form == none {
				d.payload = OwnPayload(nil)
			}
			*at = Payload{}
			defer func() { *at = whole }()
		}
	}
	if p, ok := v.(packer); ok {
		if text, usual := p.encode(); usual {
			d.object = text
			return d, nil
		}
	}
	var err error
	d.object, err = json.Marshal(v)
	return d, err
}

// Unpack is the inverse of Pack; v is a pointer.
func (d Data) Unpack(v any) error {
	c, carries := v.(carrier)
	if !carries || !d.apart() {
		return unpack(d.JSON(), v)
	}
	if err := unpack(ObjectData(d.object).JSON(), v); err != nil {
		return err
	}
	at, _ := c.carried()
	*at = d.payload
	return nil
}

func unpack(object json.RawMessage, v any) error {
	if m, ok := v.(*TargetedMessage); ok {
		if m.decode(object) {
			return nil
		}
		*m = TargetedMessage{}
	}
	return json.Unmarshal(object, v)
}

// size is about the length of JSON.
func (d Data) size() int { return len(d.object) + d.payload.textSize() }

// emptyObject reports whether a JSON object has no members.
func emptyObject(object json.RawMessage) bool {
	return len(bytes.TrimLeft(object, "{} \t\r\n")) == 0
}
