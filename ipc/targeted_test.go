package ipc_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

var targetedParams = []string{
	`{"topic":"a.b","payload":"aGk=","priority":2,"ttl_ms":30,"target":"press@box-7"}`,
	`{"topic":"a.b"}`, `{}`, `null`, ` { "topic" : "a.b" } `, `{"topic":"a.b","priority":9}`, `{"topic":"a.b","priority":-9}`,
	`{"topic":"a.b","priority":null}`, `{"topic":"a\u002eb"}`, `{"topic":"ä"}`, "{\"topic\":\"\xff\"}", `{"topic":"a","topic":"b"}`,
	`{"TOPIC":"a.b"}`, `{"topic":"a.b","further":{"x":[1.5,"y"]}}`, `{"topic":"a.b","further":true}`, `{"target":1}`, `{"topic":"a.b"}x`, `[]`, ``, `{`,
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
	given := bytes.Clone(params)
	got, err := ipc.DecodeTargeted(ipc.MethodCall, params)
	require.Equal(t, given, params, "they were written to")
	var want ipc.TargetedMessage
	if json.Unmarshal(params, &want) != nil {
		require.True(t, ipc.IsCode(err, ipc.CodeInvalidInput), "%s", params)
		return
	}
	require.NoError(t, err, "%s", params)
	require.Equal(t, want, got, "%s", params)
	encoded, err := ipc.EncodeTargeted(&got)
	require.NoError(t, err)
	general, err := json.Marshal(&got)
	require.NoError(t, err)
	require.JSONEq(t, string(general), string(encoded))
}

func TestTargetedPayloadIsNotCopied(t *testing.T) {
	m := ipc.TargetedMessage{Message: ipc.Message{Topic: "a.b", Payload: ipc.EncodePayload(make([]byte, 1000)), TTLMS: 1}, Target: "press"}
	params, err := ipc.EncodeTargeted(&m)
	require.NoError(t, err)
	back, err := ipc.DecodeTargeted(ipc.MethodCall, params)
	require.NoError(t, err)
	require.Equal(t, m, back)
	at := uintptr(unsafe.Pointer(unsafe.StringData(string(back.Payload)))) - uintptr(unsafe.Pointer(unsafe.SliceData(params)))
	require.Less(t, at, uintptr(len(params)))
}
