package ipc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// BenchmarkCall is a handle and its answer over a Unix socket, payload out and back; both ends are in this process, so that
// allocations are those of both.
func BenchmarkCall(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10, 1 << 20} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%dB/%dcallers", size, callers), func(b *testing.B) {
				host := overSocket(b, func(_ context.Context, req *ipc.Envelope) (ipc.Data, error) {
					payload, err := req.Message.Payload.Decode()
					return ipc.PayloadData(payload), err
				})
				message := []byte(strings.Repeat("x", size))
				b.SetBytes(int64(2 * size))
				b.ReportAllocs()
				b.SetParallelism(callers)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						data, err := host.Handle(b.Context(), &ipc.Message{Topic: "echo.say", Payload: ipc.EncodePayload(message)}, &ipc.Context{TraceID: "t"}, nil)
						if err != nil {
							b.Error(err)
							return
						}
						if back, ok := data.Payload(); !ok || len(back) != size {
							b.Error("another payload came back")
							return
						}
					}
				})
			})
		}
	}
}

// overSocket is the host's end of a connection over a Unix socket whose other end has the handler.
func overSocket(b *testing.B, handler ipc.Handler) *ipc.Conn {
	near, far := unixSockets(b)
	host, module := ipc.NewConn(near, nil), ipc.NewConn(far, &ipc.Options{Handler: handler})
	ended := make(chan struct{}, 2)
	for _, c := range []*ipc.Conn{host, module} {
		c.Enable([]string{ipc.ExtCancel, ipc.ExtRaw}, 0)
		go func() { _ = c.Run(context.Background()); ended <- struct{}{} }()
	}
	b.Cleanup(func() {
		host.Close()
		<-ended
		<-ended
	})
	return host
}

// BenchmarkCodec is what one frame costs without a connection.
func BenchmarkCodec(b *testing.B) {
	handle := &ipc.Envelope{
		Type:    ipc.TypeHandle,
		Message: &ipc.Message{Topic: "echo.say", Payload: ipc.EncodePayload(make([]byte, 64)), TTLMS: 5000},
		Context: &ipc.Context{TraceID: strings.Repeat("ab", 16), SourceModule: "caller:1.0.0", Timestamp: 1234567890, CallID: "00000000000000c1", Attempt: 1},
	}
	answer := &ipc.Envelope{Type: ipc.TypeResponse, Status: ipc.StatusSuccess, Data: ipc.PayloadData(make([]byte, 64))}
	for name, e := range map[string]*ipc.Envelope{"handle": handle, "answer": answer} {
		body, err := ipc.EncodeEnvelope(e)
		require.NoError(b, err)
		body = append([]byte(`{"id":7,`), body[1:]...)
		b.Run("encode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ipc.EncodeEnvelope(e)
			}
		})
		b.Run("decode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ipc.DecodeEnvelope(body)
			}
		})
	}
}
