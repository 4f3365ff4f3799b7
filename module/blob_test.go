package module_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/module/moduletest"
)

// noise returns n bytes, the same each time.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

func TestBlobs(t *testing.T) {
	for _, size := range []int{0, 1, 256<<10 - 1, 256 << 10, 600 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, host := start(t, &fake{}, moduletest.Options{})
				ctx, content := t.Context(), noise(size)
				sum := sha256.Sum256(content)
				want := &module.BlobInfo{Name: "images/a.png", Size: int64(size), SHA256: hex.EncodeToString(sum[:]), Time: time.UnixMilli(time.Now().UnixMilli())}

				info, err := host.Blob().Put(ctx, "images/a.png", iotest.HalfReader(bytes.NewReader(content)))
				require.NoError(t, err)
				require.Equal(t, want, info)
				kept, ok := h.Blobs().Get("images/a.png")
				require.True(t, ok)
				require.True(t, bytes.Equal(content, kept))
				info, err = host.Blob().Stat(ctx, "images/a.png")
				require.NoError(t, err)
				require.Equal(t, want, info)
				list, err := host.Blob().List(ctx, "images/")
				require.NoError(t, err)
				require.Equal(t, []module.BlobInfo{*want}, list)

				r, err := host.Blob().Get(ctx, "images/a.png")
				require.NoError(t, err)
				require.Equal(t, module.BlobInfo{Name: want.Name, Size: want.Size, SHA256: want.SHA256}, r.Info())
				got, err := io.ReadAll(iotest.OneByteReader(io.LimitReader(r, 100)))
				require.NoError(t, err)
				rest, err := io.ReadAll(r)
				require.NoError(t, err)
				require.True(t, bytes.Equal(content, append(got, rest...)))
				require.NoError(t, r.Close())
				_, err = r.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.ErrClosedPipe)

				require.NoError(t, host.Blob().Delete(ctx, "images/a.png"))
				require.True(t, module.IsNotFound(host.Blob().Delete(ctx, "images/a.png")))
				_, err = host.Blob().Get(ctx, "images/a.png")
				require.True(t, module.IsNotFound(err))
				_, err = host.Blob().Stat(ctx, "images/a.png")
				require.True(t, module.IsNotFound(err))
			})
		})
	}
}

// A transfer that ends before its time leaves its place to others: the host is told, also when ctx has ended.
func TestTransfersThatEndEarly(t *testing.T) {
	broken := errors.New("the camera is gone")
	w := serve(t, &fake{init: func(ctx context.Context, in *module.Init) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		_, err := in.Host.Blob().Put(ctx, "a", io.MultiReader(bytes.NewReader(noise(256<<10)), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			return fmt.Errorf("not the reader's error: %w", err)
		}
		r, err := in.Host.Blob("images").Get(ctx, "b")
		cancel()
		return errors.Join(err, r.Close())
	}}, nil)
	w.send(`{"type":"init","id":1,"protocol":1,"module_id":"press:1.0.0/instance-001"}`)
	require.Contains(t, w.receive(), `"method":"put"`)
	w.send(`{"type":"service_response","id":1,"status":"success","data":{"upload":"u1"}}`)
	w.expectParams("put", `{"name":"a","upload":"u1","last":true,"sha256":"`+strings.Repeat("0", 64)+`"}`)
	w.send(`{"type":"service_response","id":2,"status":"error","error":{"code":"INVALID_INPUT","message":"another sum"}}`)
	w.expect(`{"type":"service_request","id":3,"service":"blob","method":"get","params":{"bucket":"images","name":"b"}}`)
	w.send(`{"type":"service_response","id":3,"status":"success","data":{"download":"d1","payload":"aGk=","size":9,"sha256":"x"}}`)
	w.expectParams("get", `{"bucket":"images","download":"d1","last":true}`)
	w.send(`{"type":"service_response","id":4,"status":"success","data":{"last":true}}`)
	require.Contains(t, w.receive(), `"status":"success"`)
}

// expectParams reads a request that has a moment's time.
func (w *wire) expectParams(method, params string) {
	w.t.Helper()
	var e ipc.Envelope
	require.NoError(w.t, json.Unmarshal([]byte(w.receive()), &e))
	require.Equal(w.t, method, e.Method)
	require.JSONEq(w.t, params, string(e.Params.JSON()))
	require.NotZero(w.t, e.TTLMS)
}

func TestABlobIsOneVersion(t *testing.T) {
	h, host := start(t, &fake{}, moduletest.Options{})
	content := noise(300 << 10)
	h.Blobs().Put("a", content)
	r, err := host.Blob().Get(t.Context(), "a")
	require.NoError(t, err)
	h.Blobs().Put("a", nil)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, got))
	require.NoError(t, r.Close())
}

func TestABlobThatArrivesDamaged(t *testing.T) {
	sum := sha256.Sum256([]byte("hi"))
	right := hex.EncodeToString(sum[:])
	for _, tt := range []struct{ name, chunk, text string }{
		{"another content", `{"payload":"aG8=","last":true,"size":2,"sha256":"` + right + `"}`, "should have 2 and " + right},
		{"too short", `{"payload":"aA==","last":true,"size":2,"sha256":"` + right + `"}`, "arrived as 1 bytes"},
		{"no base64", `{"payload":"?","last":true,"size":2,"sha256":"` + right + `"}`, "cannot be decoded"},
		{"no chunk", `{"payload":7}`, "cannot be decoded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := serve(t, &fake{init: func(ctx context.Context, in *module.Init) error {
				r, err := in.Host.Blob().Get(ctx, "a")
				if err != nil {
					return err
				}
				_, err = io.Copy(&strings.Builder{}, r)
				return errors.Join(err, r.Close())
			}}, nil)
			w.send(`{"type":"init","id":1,"protocol":1,"module_id":"press:1.0.0/instance-001"}`)
			w.expect(`{"type":"service_request","id":1,"service":"blob","method":"get","params":{"name":"a"}}`)
			w.send(`{"type":"service_response","id":1,"status":"success","data":%s}`, tt.chunk)
			w.expectError(1, "INIT_FAILED", tt.text)
		})
	}
}
