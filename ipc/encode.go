package ipc

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// encodeEnvelope returns the frame's JSON without its id, which a request gets only when it is written (appendFrame):
// ids must grow in the order of the frames, and urgent frames overtake others in the queue.
func encodeEnvelope(e *Envelope) ([]byte, error) { return encodeInto(nil, e) }

// encodeInto does so in the memory of buf, if that is large enough.
func encodeInto(buf []byte, e *Envelope) ([]byte, error) {
	a := appender{out: slices.Grow(buf[:0], usualSize(e))}
	if a.envelope(e); !a.unusual {
		return a.out, nil
	}
	return encodeGeneral(e)
}

// encodeGeneral writes any envelope, as encoding/json does.
func encodeGeneral(e *Envelope) ([]byte, error) {
	body := *e
	body.ID = 0
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&body); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// usualSize is how long the JSON of an envelope mostly is at most.
func usualSize(e *Envelope) int {
	n := 256 + e.Data.size() + e.Params.size()
	if e.Message != nil {
		n += 128 + e.Message.Payload.textSize()
	}
	if e.Context != nil {
		n += 192
	}
	return n
}

// appender writes the JSON of the envelopes of calls, answers and events, and that of a packer, member by member in the order of the
// struct's, as encodeGeneral does. What would need an escape is unusual and left to that.
type appender struct {
	out     []byte
	unusual bool
}

func (a *appender) envelope(e *Envelope) {
	if e.Protocol != 0 || e.ModuleID != "" || e.Config != nil || e.Extensions != nil || e.MaxFrame != 0 || e.GraceMS != 0 || e.Error != nil {
		a.unusual = true // seldom
		return
	}
	a.raw(`{"type":`)
	a.value(e.Type)
	if e.Message != nil {
		a.raw(`,"message":`)
		a.message(e.Message)
	}
	if e.Context != nil {
		a.raw(`,"context":{`)
		a.context(e.Context)
	}
	if e.Event != nil {
		a.raw(`,"event":`)
		a.delivery(e.Event)
	}
	a.text(`,"service":`, e.Service)
	a.text(`,"method":`, e.Method)
	a.data(`,"params":`, e.Params)
	a.number(`,"ttl_ms":`, e.TTLMS)
	a.number(`,"parent":`, e.Parent)
	a.text(`,"status":`, e.Status)
	a.data(`,"data":`, e.Data)
	a.raw(`}`)
}

func (a *appender) message(m *Message) {
	a.raw(`{"topic":`)
	a.value(m.Topic)
	if !m.Payload.IsZero() {
		a.raw(`,"payload":"`)
		a.payload(m.Payload)
		a.raw(`"`)
	}
	a.raw(`,"priority":`)
	a.out = append(a.out, '1'+byte(m.Priority.clamp()))
	a.number(`,"ttl_ms":`, m.TTLMS)
	a.raw(`}`)
}

func (a *appender) context(c *Context) {
	a.text(`,"trace_id":`, c.TraceID)
	a.text(`,"source_module":`, c.SourceModule)
	a.number(`,"timestamp":`, c.Timestamp)
	a.text(`,"call_id":`, c.CallID)
	a.number(`,"attempt":`, int64(c.Attempt))
	a.raw(`}`)
}

func (a *appender) delivery(d *Delivery) {
	a.raw(`{"subscription":`)
	a.value(d.Subscription)
	a.raw(`,"seq":`)
	a.out = strconv.AppendUint(a.out, d.Seq, 10)
	a.count(`,"lost":`, d.Lost)
	a.text(`,"op":`, d.Op)
	a.count(`,"revision":`, d.Revision)
	a.raw(`}`)
}

func (a *appender) raw(s string) { a.out = append(a.out, s...) }

// member writes the name of a member; the first of an object needs no comma.
func (a *appender) member(name string) {
	if a.out[len(a.out)-1] == '{' {
		name = name[1:]
	}
	a.raw(name)
}

// text writes a member, unless it is empty.
func (a *appender) text(name, s string) {
	if s != "" {
		a.member(name)
		a.value(s)
	}
}

// texts writes a member, unless it is empty.
func (a *appender) texts(name string, all []string) {
	if len(all) == 0 {
		return
	}
	a.member(name)
	before := `[`
	for _, s := range all {
		a.raw(before)
		a.value(s)
		before = `,`
	}
	a.raw(`]`)
}

func (a *appender) value(s string) {
	a.unusual = a.unusual || !plain([]byte(s)) // which copies nothing
	a.out = append(append(append(a.out, '"'), s...), '"')
}

func (a *appender) number(name string, n int64) {
	if n != 0 {
		a.member(name)
		a.out = strconv.AppendInt(a.out, n, 10)
	}
}

func (a *appender) count(name string, n uint64) {
	if n != 0 {
		a.member(name)
		a.out = strconv.AppendUint(a.out, n, 10)
	}
}

// payload writes the text of a payload, which others may have made: it is checked.
func (a *appender) payload(p Payload) {
	if p.form != inBase64 {
		a.out = appendBase64(slices.Grow(a.out, p.textSize()), p.b)
		return
	}
	a.unusual = a.unusual || !plain(p.b)
	a.out = append(a.out, p.b...)
}

// data writes a member, unless there is none.
func (a *appender) data(name string, d Data) {
	if d.IsZero() {
		return
	}
	a.member(name)
	if !d.apart() {
		a.object(d.object)
		return
	}
	a.raw(beforePayload)
	a.payload(d.payload)
	if emptyObject(d.object) {
		a.raw(afterPayload)
		return
	}
	a.raw(`"`)
	brace := len(a.out)
	if a.object(bytes.TrimSpace(d.object)); !a.unusual {
		a.out[brace] = ','
	}
}

// object writes what is JSON already, which others may have made: it is checked.
func (a *appender) object(text json.RawMessage) {
	a.unusual = a.unusual || !usualObject(text)
	a.out = append(a.out, text...)
}

// usualObject reports whether a JSON object can be written as it is.
func usualObject(text json.RawMessage) bool {
	if _, ok := payloadText(text); ok {
		return true
	}
	s := scanner{text: text}
	s.value()
	return s.end() && !s.wide
}
