package cli_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/cmd/ixt/internal/cli"
)

// halfway is a supervisor that has the first half of a blob. What is sent to stalled is closed when that has been sent; the rest never comes,
// or the connection ends there if stalled is nil.
func halfway(t *testing.T, stalled chan<- struct{}) (socket string) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/buckets/blob", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`["images"]`)) })
	mux.HandleFunc("GET /v1/blobs/images/l7", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
		_ = http.NewResponseController(w).Flush()
		if stalled == nil {
			panic(http.ErrAbortHandler)
		}
		close(stalled)
		<-r.Context().Done()
	})
	socket = filepath.Join(shortDir(t), "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(mux)
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return socket
}

// Ctrl-C, and a supervisor that dies, leave the file that was there, and nothing else.
func TestHalfABlobLeavesNothing(t *testing.T) {
	for name, interrupted := range map[string]bool{"interrupted": true, "broken off": false} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "f")
			write(t, file, "before")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var stalled chan struct{}
			if interrupted {
				stalled = make(chan struct{})
				go func() {
					select {
					case <-stalled:
						cancel()
					case <-ctx.Done():
					}
				}()
			}
			var stderr strings.Builder
			code := cli.Run(ctx, []string{"blob", "get", "images", "l7", "-o", file, "--socket", halfway(t, stalled)}, strings.NewReader(""), &stderr, &stderr)
			require.Equal(t, 1, code, stderr.String())
			entries, err := os.ReadDir(filepath.Dir(file))
			require.NoError(t, err)
			require.Len(t, entries, 1)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, "before", string(text))
		})
	}
}
