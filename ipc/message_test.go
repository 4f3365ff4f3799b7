package ipc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

func TestInitResultIsWrittenAsEncodingJSONDoes(t *testing.T) {
	for _, r := range []ipc.InitResult{
		{},
		{SDK: "x/1"},
		{Protocol: 1, SDK: "ixt-go/0.1.0", Extensions: []string{ipc.ExtCancel, ipc.ExtRaw}, MaxConcurrency: 8},
		{Extensions: []string{"\u00e4", "\""}, MaxConcurrency: -1},
		{SDK: "<b>&"},
	} {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		require.NoError(t, enc.Encode(r))
		got, err := ipc.Pack(&r)
		require.NoError(t, err)
		require.Equal(t, strings.TrimSuffix(want.String(), "\n"), string(got.JSON()))
	}
}

func TestPriorityOnTheWire(t *testing.T) {
	for wire, want := range map[string]ipc.Priority{
		`{"priority":0}`: ipc.Low, `{"priority":1}`: ipc.Normal, `{"priority":2}`: ipc.High, `{"priority":3}`: ipc.Urgent,
		`{}`: ipc.Normal, `{"priority":null}`: ipc.Normal, `{"priority":-7}`: ipc.Low, `{"priority":1000}`: ipc.Urgent,
	} {
		var m ipc.Message
		require.NoError(t, json.Unmarshal([]byte(wire), &m), wire)
		require.Equal(t, want, m.Priority, wire)
	}
	for p, want := range map[ipc.Priority]string{ipc.Low: "0", ipc.Normal: "1", ipc.High: "2", ipc.Urgent: "3", 100: "3", -100: "0"} {
		b, err := json.Marshal(p)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
}

func TestHealthAnswer(t *testing.T) {
	for wire, want := range map[string]ipc.Health{
		`{}`:                                 {Healthy: true, Ready: true, Extra: map[string]any{}},
		`{"healthy":false}`:                  {Healthy: false, Ready: true, Extra: map[string]any{}},
		`{"ready":false,"reason":"heating"}`: {Healthy: true, Ready: false, Reason: "heating", Extra: map[string]any{}},
		`{"healthy":null,"fans":[1,2]}`:      {Healthy: true, Ready: true, Extra: map[string]any{"fans": []any{1.0, 2.0}}},
	} {
		var h ipc.Health
		require.NoError(t, json.Unmarshal([]byte(wire), &h), wire)
		require.Equal(t, want, h, wire)
		b, err := json.Marshal(h)
		require.NoError(t, err)
		var again ipc.Health
		require.NoError(t, json.Unmarshal(b, &again))
		require.Equal(t, h, again)
	}
	require.Error(t, json.Unmarshal([]byte(`{"healthy":"yes"}`), new(ipc.Health)))
}

func TestDataCarriesBytesOrAnObject(t *testing.T) {
	for _, tt := range []struct {
		data  string
		bytes string
		ok    bool
	}{
		{`{"payload":"aGk="}`, "hi", true},
		{`{"payload":""}`, "", true},
		{`{"payload":"aGk=","more":1}`, "", false},
		{`{"payload":"%"}`, "", false},
		{`{"payload":7}`, "", false},
		{`{}`, "", false},
		{`[]`, "", false},
	} {
		b, ok := ipc.ObjectData([]byte(tt.data)).Payload()
		require.Equal(t, tt.ok, ok, tt.data)
		require.Equal(t, tt.bytes, string(b), tt.data)
	}
	for _, v := range []any{map[string]any{"a": 1.0}, []any{1.0, "x"}, "text", 4.5, true, nil, map[string]any{"payload": "aGk=", "x": "y"}} {
		data, err := ipc.JSONData(v)
		require.NoError(t, err)
		require.Equal(t, byte('{'), data.JSON()[0], "%v is an object on the wire", v)
		var back any
		require.NoError(t, data.Decode(&back))
		require.Equal(t, v, back)
	}
	_, err := ipc.JSONData(make(chan int))
	require.Error(t, err)
	require.ErrorContains(t, ipc.PayloadData(nil).Decode(new(any)), "no JSON")
}

func TestPayload(t *testing.T) {
	b, err := ipc.EncodePayload([]byte{0, 0xff, 'a'}).Decode()
	require.NoError(t, err)
	require.Equal(t, []byte{0, 0xff, 'a'}, b)
	_, err = ipc.PayloadText("a b").Decode()
	require.ErrorIs(t, err, &ipc.Error{Code: ipc.CodeInvalidInput})
}

func TestModuleID(t *testing.T) {
	for text, want := range map[string]ipc.ModuleID{
		"echo:1.0.0":               {Name: "echo", Version: "1.0.0"},
		"echo:1.0.0/instance-001":  {Name: "echo", Version: "1.0.0", Instance: 1},
		"echo:1.0.0/instance-1234": {Name: "echo", Version: "1.0.0", Instance: 1234},
	} {
		id, err := ipc.ParseModuleID(text)
		require.NoError(t, err)
		require.Equal(t, want, id)
		require.Equal(t, text, id.String())
		require.Equal(t, "echo:1.0.0", id.Module())
	}
	for _, text := range []string{"", "echo", ":1.0.0", "echo:", "echo:1.0.0/", "echo:1.0.0/1", "echo:1.0.0/instance-0", "echo:1.0.0/instance-x"} {
		_, err := ipc.ParseModuleID(text)
		require.ErrorContains(t, err, "it looks like name:1.0.0/instance-001", text)
	}
}

func TestErrors(t *testing.T) {
	busy := ipc.Errorf(ipc.CodeBusy, "the queue of %s is full", "echo.say")
	require.EqualError(t, busy, "BUSY: the queue of echo.say is full")
	require.ErrorIs(t, fmt.Errorf("calling: %w", busy), &ipc.Error{Code: ipc.CodeBusy})
	require.NotErrorIs(t, busy, &ipc.Error{Code: ipc.CodeTimeout})

	require.Equal(t, ipc.Done, ipc.OutcomeOf(nil))
	require.Equal(t, ipc.NotDelivered, ipc.OutcomeOf(fmt.Errorf("calling: %w", busy)))
	require.Equal(t, ipc.Unknown, ipc.OutcomeOf(errors.New("broken")))
	require.Equal(t, ipc.Unknown, ipc.OutcomeOf(&ipc.Error{Code: "MINE"}), "nobody has decided")

	require.Same(t, busy, ipc.AsError(fmt.Errorf("calling: %w", busy), "X"))
	require.Equal(t, ipc.CodeTimeout, ipc.AsError(fmt.Errorf("disk: %w", context.DeadlineExceeded), "X").Code)
	require.Equal(t, ipc.CodeCancelled, ipc.AsError(context.Canceled, "X").Code)
	require.Equal(t, "X", ipc.AsError(errors.New("broken"), "X").Code)
}

func TestErrorOnTheWire(t *testing.T) {
	e := &ipc.Error{Code: "C", Message: "m", Details: json.RawMessage(`{"a":1}`), RetryAfter: 1500 * time.Millisecond, Outcome: ipc.Unknown, Origin: ipc.Supervisor}
	b, err := json.Marshal(e)
	require.NoError(t, err)
	require.JSONEq(t, `{"code":"C","message":"m","details":{"a":1},"retry_after_ms":1500,"outcome":"unknown","origin":"supervisor"}`, string(b))
	back := new(ipc.Error)
	require.NoError(t, json.Unmarshal(b, back))
	require.Equal(t, e, back)
}

// The time left goes along in whole milliseconds, rounded up: a short time never becomes none, and a long one stays long.
func TestTimeLeftOnTheWire(t *testing.T) {
	for left, want := range map[time.Duration]int64{
		time.Nanosecond: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Second: 1000,
		math.MaxInt64: math.MaxInt64/int64(time.Millisecond) + 1,
	} {
		synctest.Test(t, func(t *testing.T) {
			c, p := overPipe(t, nil)
			ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(left))
			defer cancel()
			go func() { _, _ = c.Handle(ctx, &ipc.Message{Topic: "t"}, nil, nil) }()
			require.Equal(t, want, p.envelope().Message.TTLMS)
		})
	}
	long := &ipc.Envelope{TTLMS: math.MaxInt64}
	require.Greater(t, long.TTL(), 290*365*24*time.Hour, "what is too long for a Duration is the longest")
}
