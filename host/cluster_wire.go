package host

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// What a call carries beside its payload, besides headerSource, headerTrace and headerTime. Whoever calls by other means than ixt
// may leave all of them out.
const (
	headerCall     = "Ixt-Call" // the call's id; whoever names it is told who has the call before it is answered
	headerAttempt  = "Ixt-Attempt"
	headerPriority = "Ixt-Priority" // 0 to 3, as in docs/protocol.md
	headerTTL      = "Ixt-TTL"      // time left, in ms
	headerDepth    = "Ixt-Depth"    // calls that wait for it
	headerTarget   = "Ixt-Target"
	headerFrom     = "Ixt-From" // id of the supervisor that waits for the answer, as in its heartbeat

	headerBytes    = "Ixt-Bytes"    // in an answer: the message is the payload, and there is nothing else
	headerAccepted = "Ixt-Accepted" // in what comes before the answer: the node that has the call
)

// fromNATS is the source of calls that do not come from ixt.
const fromNATS = "nats"

// encodeCall is a call on its way, but for the time left. The error says that its payload is no base64.
func encodeCall(c supervisor.RemoteCall) (*nats.Msg, error) {
	payload, err := c.Message.Payload.Decode()
	if err != nil {
		return nil, err
	}
	m := &nats.Msg{Data: payload, Header: nats.Header{}}
	set := func(name, value string) {
		if value != "" {
			m.Header[name] = []string{value}
		}
	}
	set(headerCall, c.Context.CallID)
	set(headerTrace, c.Context.TraceID)
	set(headerSource, c.Context.SourceModule)
	set(headerTime, strconv.FormatInt(c.Context.Timestamp, 10))
	set(headerAttempt, strconv.Itoa(c.Context.Attempt))
	set(headerPriority, strconv.Itoa(int(c.Message.Priority-ipc.Low)))
	set(headerDepth, strconv.Itoa(c.Depth))
	set(headerTarget, c.Target)
	return m, nil
}

// checkHeaders says which header cannot be read: whoever calls by other means than ixt writes them by hand.
func checkHeaders(h nats.Header) *ipc.Error {
	for _, number := range []struct {
		name  string
		most  int64
		means string
	}{
		{headerTTL, math.MaxInt64, "the milliseconds that it may take, such as 1500"},
		{headerPriority, int64(ipc.Urgent - ipc.Low), "0 to 3"},
		{headerAttempt, math.MaxInt64, "a number from 1 on"},
		{headerDepth, math.MaxInt64, "how many calls wait for it"},
		{headerTime, math.MaxInt64, "seconds since 1970"},
	} {
		text := h.Get(number.name)
		if n, err := strconv.ParseInt(text, 10, 64); text != "" && (err != nil || n < 0 || n > number.most) {
			return ipc.Refuse(ipc.CodeInvalidInput, "the header %s: %.40s cannot be read; write %s, or leave it out", number.name, text, number.means)
		}
	}
	return nil
}

// decodeCall is its inverse; what is left out has the default of a call from outside.
func decodeCall(topic string, in inbound) supervisor.RemoteCall {
	get := func(name string, absent int64) int64 {
		if n, err := strconv.ParseInt(in.header.Get(name), 10, 64); err == nil {
			return n
		}
		return absent
	}
	text := func(name, absent string) string {
		if v := in.header.Get(name); v != "" {
			return v
		}
		return absent
	}
	priority := get(headerPriority, int64(ipc.Normal-ipc.Low))
	return supervisor.RemoteCall{
		Message: ipc.Message{
			Topic: topic, Payload: ipc.OwnPayload(in.data),
			Priority: ipc.Low + ipc.Priority(min(max(priority, 0), int64(ipc.Urgent-ipc.Low))),
			TTLMS:    max(get(headerTTL, 0), 0),
		},
		Context: ipc.Context{
			TraceID:      text(headerTrace, fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())),
			SourceModule: text(headerSource, fromNATS),
			Timestamp:    get(headerTime, time.Now().Unix()),
			CallID:       text(headerCall, randomID()),
			Attempt:      int(max(get(headerAttempt, 1), 1)),
		},
		Depth:  int(max(get(headerDepth, 0), 0)),
		Target: in.header.Get(headerTarget),
	}
}

// timeLeft is what a request names as its limit; 0: none.
func timeLeft(h nats.Header) time.Duration {
	ms, err := strconv.ParseInt(h.Get(headerTTL), 10, 64)
	if err != nil || ms <= 0 {
		return 0
	}
	return time.Duration(min(ms, maxTTL)) * time.Millisecond
}

// errorOf is the error that an answer carries; nil if it is none.
func errorOf(m *nats.Msg, node string) *ipc.Error {
	code := m.Header.Get(micro.ErrorCodeHeader)
	if code == "" {
		return nil
	}
	var e ipc.Error
	if json.Unmarshal(m.Data, &e) == nil && e.Code == code {
		return &e
	}
	return &ipc.Error{Code: code, Message: m.Header.Get(micro.ErrorHeader), Outcome: ipc.Done, Origin: node}
}
