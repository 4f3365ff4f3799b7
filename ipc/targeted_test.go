package ipc_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

var targetedParams = []string{
	`{"topic":"a.b","payload":"aGk=","priority":2,"ttl_ms":30,"target":"press@box-7"}`,
	`{"topic":"a.b"}`, `{}`, `null`, ` { "topic" : "a.b" } `, `{"topic":"a.b","priority":9}`, `{"topic":"a.b","priority":-9}`,
	`{"topic":"a.b","priority":null}`, `{"topic":"a.b","payload":""}`, `{"topic":"a\u002eb"}`, `{"topic":"ä"}`, "{\"topic\":\"\xff\"}", `{"topic":"a","topic":"b"}`,
	`{"TOPIC":"a.b"}`, `{"topic":"a.b","further":{"x":[1.5,"y"]}}`, `{"topic":"a.b","further":true}`, `{"target":1}`, `{"topic":"a.b"}x`, `[]`, `{`,
}

// FuzzTargeted holds the params of message_bus against encoding/json, which says what they mean.
func FuzzTargeted(f *testing.F) {
	for _, params := range targetedParams {
		f.Add([]byte(params))
	}
	f.Fuzz(requireSameTargeted)
}

func TestTargetedAgreesWithEncodingJSON(t *testing.T) {
	for _, params := range targetedParams {
		requireSameTargeted(t, []byte(params))
	}
}

func requireSameTargeted(t *testing.T, params []byte) {
	if len(params) == 0 {
		return // an empty object, to us
	}
	given := bytes.Clone(params)
	var got, want ipc.TargetedMessage
	err := ipc.ObjectData(params).Unpack(&got)
	require.Equal(t, given, params, "they were written to")
	if json.Unmarshal(params, &want) != nil {
		require.Error(t, err, "%s", params)
		return
	}
	require.NoError(t, err, "%s", params)
	require.Equal(t, want, got, "%s", params)
	packed, err := ipc.Pack(&got)
	require.NoError(t, err)
	general, err := json.Marshal(&got)
	require.NoError(t, err)
	var back ipc.TargetedMessage
	require.NoError(t, json.Unmarshal(packed.JSON(), &back))
	again, err := json.Marshal(&back)
	require.NoError(t, err)
	require.JSONEq(t, string(general), string(again))
}

func TestPayloadOfACallIsNotCopied(t *testing.T) {
	m := ipc.TargetedMessage{Message: ipc.Message{Topic: "a.b", Payload: ipc.EncodePayload(make([]byte, 1000)), TTLMS: 1}, Target: "press"}
	packed, err := ipc.Pack(&m)
	require.NoError(t, err)
	var back ipc.TargetedMessage
	require.NoError(t, packed.Unpack(&back))
	require.Equal(t, m, back)
	want, err := m.Payload.Decode()
	require.NoError(t, err)
	got, err := back.Payload.Decode()
	require.NoError(t, err)
	require.Same(t, &want[0], &got[0])
}
