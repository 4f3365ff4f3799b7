package ipc_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// Frames that look usual and are not, or the other way round.
var oddFrames = []string{
	`{"type":"handle","id":7,"message":{"topic":"a.b","payload":"aGk=","priority":9,"ttl_ms":-5},"context":{"attempt":2}}`,
	`{"type":"response","id":1,"status":"success","data":{"a":[1,-2,{"b":null}],"c":true}}`,
	`{"type":"response","id":1,"status":"success","data":{"a":1.5e3}}`,
	`{"type":"event","id":3,"event":{"subscription":"a.>","seq":1,"lost":2,"op":"set","revision":18},"message":{"topic":"a.b"}}`,
	`{"type":"event","id":3,"event":{"subscription":"a.>","seq":-1}}`,
	`{"type":"a","type":"b"}`, `{"type":"a","TYPE":"b"}`, `{"type":"a","ſtatus":"b"}`, `{"type":"a","id":null}`,
	`{"type":"a","message":{"topic":"x"},"message":{"payload":"y"}}`, `{"type":"a","message":null}`, `{"type":"a","message":{}}`,
	`{"type":"a","message":{"payload":""}}`, `{"type":"a","message":{"payload":"&<>"}}`, `{"type":"response","id":1,"status":"success","data":{"payload":"&"}}`,
	`{"type":"\u0061"}`, `{"type":"ä","id":1}`, `{"type":"a","id":01}`, `{"type":"a","id":-1}`, `{"type":"a","id":-0}`, `{"type":"a","id":1.0}`,
	`{"type":"a","id":123456789012345678}`, `{"type":"a","id":9223372036854775808}`, `{"type":"a",}`, `{"type":"a" "id":1}`, `{"type":"a"} `,
	`{"type":"a"}x`, `{"type":"a","x":[1,]}`, `{"type":"a","x":[}`, `{"type":"a","x":tru}`, `{"type":"a","x":"` + "\x01" + `"}`, `{}`, `[]`, ``, `{`,
	`{"type":"a","data":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
	`{"type":"init","id":1,"protocol":1,"module_id":"a:1/instance-001","config":{"x":[1,2.5,"\u00e4"]},"extensions":["cancel","raw"],"max_frame":1048576}`,
	`{"type":"init","id":1,"config":{"x":[1,"y"]},"extensions":[]}`, `{"type":"init","id":1,"config":null,"extensions":null}`,
	`{"type":"init","id":1,"config": {} ,"extensions":["a",null]}`, `{"type":"init","id":1,"extensions":["a",1]}`, `{"type":"init","id":1,"extensions":{}}`,
	`{"type":"init","id":1,"extensions":["a" "b"]}`, `{"type":"init","id":1,"protocol":1.0,"max_frame":"7"}`, `{"type":"shutdown","id":2,"grace_ms":500}`,
	"{\"type\":\"a\xff\"}", "{\"type\":\"a\",\"\xc3\":1}", "{\"type\":\"a\",\"status\":\"abcdefgh\xe2\x82\"}",
	"{\"type\":\"a\",\n\t\"data\" : { \"b\" : [ ] } }", `{"type":"service_request","id":4,"service":"kv","method":"get","params":{"key":"k"},"parent":3,"ttl_ms":10}`,
}

// FuzzCodec holds the decoder and the encoder for usual frames against encoding/json: where they have a view, it is the same.
func FuzzCodec(f *testing.F) {
	for _, line := range append(goldenFrames(f), oddFrames...) {
		f.Add([]byte(line))
	}
	f.Fuzz(requireSameCodec)
}

func TestCodecAgreesWithEncodingJSON(t *testing.T) {
	usual := 0
	for _, line := range append(goldenFrames(t), oddFrames...) {
		requireSameCodec(t, []byte(line))
		if ipc.DecodeUsual([]byte(line)) != nil {
			usual++
		}
	}
	require.Greater(t, usual, 40)
}

func requireSameCodec(t *testing.T, frame []byte) {
	if !utf8.Valid(frame) || !json.Valid(frame) {
		require.Nil(t, ipc.DecodeUsual(frame), "%s", frame)
		return
	}
	given := bytes.Clone(frame)
	want, err := ipc.DecodeGeneral(frame)
	if got := ipc.DecodeUsual(frame); got != nil {
		require.NoError(t, err, "%s", frame)
		require.Equal(t, want, got, "%s", frame)
	}
	require.Equal(t, given, frame, "it was written to")
	if err != nil {
		return
	}
	want.ID = 0
	general, err := ipc.EncodeGeneral(want)
	if got := ipc.EncodeUsual(want); got != nil {
		require.NoError(t, err)
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, got))
		require.Equal(t, string(general), compact.String())
	}
}

// What the connection shares between frames, or with its callers, must not show in anybody's payload; callers may do with their
// memory what they like as soon as a call has returned, also one that they gave up.
func TestPayloadsStayWhole(t *testing.T) {
	for _, extensions := range [][]string{{ipc.ExtCancel}, {ipc.ExtCancel, ipc.ExtRaw}} {
		t.Run(strings.Join(extensions, " and "), func(t *testing.T) {
			eachTransport(t, func(t *testing.T, a, b io.ReadWriteCloser) {
				host, module := start(t, a, nil), start(t, b, &ipc.Options{Direct: true, Handler: func(_ context.Context, req *ipc.Envelope) (ipc.Data, error) {
					payload, err := req.Message.Payload.Decode()
					if checksum(payload) != req.Message.Topic || req.Message.Topic != req.Context.TraceID {
						t.Error("another payload arrived")
					}
					return ipc.PayloadData(payload), err
				}})
				host.Enable(extensions, 0)
				module.Enable(extensions, 0)
				var callers sync.WaitGroup
				for n := range 16 {
					callers.Go(func() { exchange(t, host.Conn, rand.New(rand.NewPCG(1, uint64(n)))) })
				}
				callers.Wait()
			})
		})
	}
}

// exchange sends payloads of all sizes, and gives up on some.
func exchange(t *testing.T, host *ipc.Conn, random *rand.Rand) {
	for range 20 {
		payload := make([]byte, random.IntN(1<<random.IntN(19)))
		for i := range payload {
			payload[i] = byte(random.Uint32())
		}
		ctx, cancel := t.Context(), func() {}
		if random.IntN(4) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(2000))*time.Microsecond)
		}
		sum := checksum(payload)
		data, err := host.Handle(ctx, &ipc.Message{Topic: sum, Payload: ipc.EncodePayload(payload)}, &ipc.Context{TraceID: sum}, nil)
		clear(payload)
		if err == nil {
			back, ok := data.Payload()
			if !ok || checksum(back) != sum {
				t.Error("another payload came back")
			}
		} else if ctx.Err() == nil {
			t.Error(err)
		}
		cancel()
	}
}

func checksum(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// Strings are looked at many bytes at a time: one that needs an escape must be found wherever it is.
func TestEveryByteInEveryPlace(t *testing.T) {
	for at := range 41 {
		for b := range 256 {
			text := []byte(strings.Repeat("a", 41))
			text[at] = byte(b)
			for _, e := range []*ipc.Envelope{
				{Type: string(text)},
				{Type: "response", Data: ipc.ObjectData([]byte(`{"payload":"` + string(text) + `"}`))},
			} {
				got := ipc.EncodeUsual(e)
				plain := b >= 0x20 && b < 0x80 && b != '"' && b != '\\'
				require.Equal(t, plain, got != nil, "%q", text)
				if plain {
					want, err := ipc.EncodeGeneral(e)
					require.NoError(t, err)
					require.Equal(t, string(want), string(got))
				}
			}
		}
	}
}
