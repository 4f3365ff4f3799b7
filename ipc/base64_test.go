package ipc_test

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// FuzzBase64 holds payloads against encoding/base64, which has the last word on them.
func FuzzBase64(f *testing.F) {
	for _, s := range []string{"", "a", "aGk=", "aGk", "aGkh\naGkh", "aGkhaGkhaGkhaGkh====", "aGkhaGkhaGk*aGkhaGkh", "aGkhaGkhaGkhaGkhaGk=aGkh", "aGkhaGkhaGkhaGkhaGl=", "=", "==", "a=", "a===", "aa==\n", "aa=\n=", "aGkhaa\n=="} {
		f.Add([]byte(s))
	}
	f.Fuzz(requireSameBase64)
}

func requireSameBase64(t *testing.T, b []byte) {
	given := bytes.Clone(b)
	text := base64.StdEncoding.EncodeToString(b)
	require.Equal(t, text, ipc.EncodePayload(b).Text())
	require.Equal(t, `{"payload":"`+text+`"}`, string(ipc.PayloadData(b).JSON()))
	back, err := ipc.PayloadText(text).Decode()
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, back))

	want, bad := base64.StdEncoding.DecodeString(string(b))
	got, err := ipc.PayloadText(string(b)).Decode()
	if bad != nil {
		require.EqualError(t, err, "INVALID_INPUT: payload is not base64: "+bad.Error())
	} else {
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	}
	require.Equal(t, given, b, "it was written to")
}

func TestBase64AgreesWithEncodingBase64(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for size := range 200 {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		requireSameBase64(t, b)
		text := []byte(base64.StdEncoding.EncodeToString(b))
		for i := range text { // any byte at any place of a text
			spoilt := bytes.Clone(text)
			spoilt[i] = byte(random.Uint32())
			requireSameBase64(t, spoilt)
			requireSameBase64(t, text[:i])
		}
	}
}

func BenchmarkBase64(b *testing.B) {
	src := make([]byte, 1<<20)
	text := ipc.EncodePayload(src)
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(src)))
		for b.Loop() {
			ipc.EncodePayload(src)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(src)))
		for b.Loop() {
			_, _ = text.Decode()
		}
	})
}
