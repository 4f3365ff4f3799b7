package ipc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// recorded is a transport that reads given bytes and keeps what is written.
type recorded struct {
	io.Reader
	written bytes.Buffer
	closed  chan struct{}
}

func replay(r io.Reader) *recorded { return &recorded{Reader: r, closed: make(chan struct{})} }

func (r *recorded) Write(b []byte) (int, error) { return r.written.Write(b) }
func (r *recorded) Close() error                { close(r.closed); return nil }

func TestFramesAreCutFromAnyPieces(t *testing.T) {
	var stream []byte
	payloads := []string{"", "a", strings.Repeat("b", 8<<10), strings.Repeat("c", 200<<10), "d"}
	for _, p := range payloads {
		stream = append(stream, frame(`{"type":"note","params":{"p":"`+p+`"}}`)...)
	}
	for name, pieces := range map[string]func(io.Reader) io.Reader{
		"all at once":                      func(r io.Reader) io.Reader { return r },
		"byte by byte":                     iotest.OneByteReader,
		"halves":                           iotest.HalfReader,
		"end together with the last bytes": iotest.DataErrReader,
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			c := ipc.NewConn(replay(pieces(bytes.NewReader(stream))), &ipc.Options{Notify: func(e *ipc.Envelope) {
				var params struct{ P string }
				require.NoError(t, json.Unmarshal(e.Params.JSON(), &params))
				got = append(got, params.P)
			}})
			require.ErrorIs(t, c.Run(t.Context()), io.EOF)
			require.Equal(t, payloads, got)
		})
	}
}

// A length is a promise, not a fact: memory is spent on what arrives.
func TestAnAnnouncedFrameCostsNothing(t *testing.T) {
	for name, size := range map[string]uint32{
		"within the limit": ipc.DefaultMaxFrame,
		"over the limit":   1<<31 - 1,
	} {
		t.Run(name, func(t *testing.T) {
			stream := append(binary.LittleEndian.AppendUint32(nil, size), strings.Repeat("x", 100_000)...)
			allocated := allocatedBy(func() {
				c := ipc.NewConn(replay(bytes.NewReader(stream)), nil)
				require.ErrorIs(t, c.Run(context.Background()), io.ErrUnexpectedEOF)
			})
			require.Less(t, allocated, uint64(500_000))
		})
	}
}

// allocatedBy returns the bytes that f allocates, and whatever else runs meanwhile.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAFrameOfTheLargestSizePasses(t *testing.T) {
	const limit = 1000
	head := `{"type":"note","params":{"p":"`
	body := head + strings.Repeat("p", limit-len(head)-3) + `"}}`
	require.Len(t, body, limit)
	got := 0
	c := ipc.NewConn(replay(bytes.NewReader(append(frame(body), frame(body+" ")...))), &ipc.Options{
		MaxFrame: limit, Notify: func(*ipc.Envelope) { got++ },
	})
	require.ErrorIs(t, c.Run(t.Context()), io.EOF)
	require.Equal(t, 1, got)
	require.Equal(t, 1, c.Stats().Skipped)
}
