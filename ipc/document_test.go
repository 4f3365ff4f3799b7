package ipc_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

const (
	minimalModule = "testdata/minimal.py"
	protocolText  = "../docs/protocol.md"
)

func protocol(t *testing.T) string {
	text, err := os.ReadFile(protocolText)
	require.NoError(t, err)
	return string(text)
}

// The module that docs/protocol.md shows is a real one: python runs it over a real socket.
func TestMinimalModule(t *testing.T) {
	source, err := os.ReadFile(minimalModule)
	require.NoError(t, err)
	require.Contains(t, protocol(t), "```python\n"+string(source)+"```\n")
	require.LessOrEqual(t, strings.Count(string(source), "\n"), 25)

	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3")
	}
	dir, err := os.MkdirTemp("", "ixt")
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(dir)) }()
	socket := filepath.Join(dir, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	require.NoError(t, err)
	require.NoError(t, listener.SetDeadline(time.Now().Add(time.Minute)))
	defer func() { require.NoError(t, listener.Close()) }()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	id := ipc.ModuleID{Name: "minimal", Version: "1.0.0", Instance: 1}.String()
	module := exec.CommandContext(ctx, python, minimalModule)
	module.Env = append(os.Environ(), ipc.EnvSocket+"="+socket, ipc.EnvModuleID+"="+id)
	module.Stderr = t.Output()
	require.NoError(t, module.Start())
	stream, err := listener.Accept()
	require.NoError(t, err)
	host := start(t, stream, nil)

	r, err := host.Init(ctx, ipc.InitParams{Protocol: ipc.Version, ModuleID: id, Extensions: []string{ipc.ExtCancel}})
	require.NoError(t, err)
	require.Equal(t, &ipc.InitResult{Protocol: 1}, r, "it is serial")

	data, err := host.Handle(ctx, &ipc.Message{Topic: "echo.say", Payload: ipc.EncodePayload([]byte("hello"))}, nil, nil)
	require.NoError(t, err)
	payload, _ := data.Payload()
	require.Equal(t, "hello", string(payload))

	h, err := host.Health(ctx)
	require.NoError(t, err)
	require.True(t, h.Healthy && h.Ready)

	require.NoError(t, host.Notify(ctx, &ipc.Envelope{Type: "dance"}))
	_, err = host.Call(ctx, &ipc.Envelope{Type: "dance"}, nil)
	requireError(t, err, ipc.CodeUnknownType, ipc.Done)

	require.NoError(t, host.Shutdown(ctx, time.Second))
	require.NoError(t, module.Wait())
}

// The table of errors says what the code does.
func TestDocumentedOutcomes(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| (not_delivered|unknown) \\|").FindAllStringSubmatch(protocol(t), -1)
	require.Len(t, rows, 15)
	for _, row := range rows {
		require.Equal(t, ipc.Outcome(row[2]), ipc.Errorf(row[1], "").Outcome, row[1])
	}
}

// Every code, and every type, that the package knows is in the document.
func TestDocumentedNames(t *testing.T) {
	text := protocol(t)
	for _, file := range []string{"error.go", "envelope.go", "environment.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		names := regexp.MustCompile(`(?m)^\t(?:Code|Type|Ext|Env|Status)\w+\s+= "(\w+)"`).FindAllStringSubmatch(string(source), -1)
		require.NotEmpty(t, names)
		for _, name := range names {
			require.Contains(t, text, "`"+name[1]+"`")
		}
	}
	require.Contains(t, text, fmt.Sprintf("which is %d ", ipc.DefaultMaxFrame))
	require.Contains(t, text, fmt.Sprintf("| path of a socket | %d bytes |", ipc.MaxSocketPath))
}

func TestDocumentedBytes(t *testing.T) {
	_, rest, found := strings.Cut(protocol(t), "## One frame, byte by byte")
	require.True(t, found)
	want, err := hex.DecodeString(strings.Join(strings.Fields(strings.Split(rest, "```")[1]), ""))
	require.NoError(t, err)

	c, p := overPipe(t, nil)
	c.begin(t.Context(), &ipc.Envelope{Type: ipc.TypeHealthCheck})
	got := make([]byte, len(want))
	_, err = p.rw.Read(got)
	require.NoError(t, err)
	require.Equal(t, want, got)
}
