package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ixtrun/ixt/cmd/ixt/internal/cli"
	"github.com/ixtrun/ixt/module"
)

// asModule makes this test binary the module below instead of running tests.
const asModule = "IXT_TEST_MODULE"

const testManifest = `schema_version = "3.0"
[module]
name = "parrot"
version = "1.2.3"
description = "says what it is told"
[artifacts.process]
path = %q
env = { IXT_TEST_MODULE = "1" }
[provides]
services = ["parrot.say", "parrot.json", "parrot.refuse", "parrot.crash"]
[config]
limit = { type = "float", default = 5.0 }
`

func TestMain(m *testing.M) {
	if os.Getenv(asModule) != "" {
		module.Main(parrot{})
		return
	}
	goleak.VerifyTestMain(m)
}

type parrot struct{ module.Base }

func (parrot) Init(_ context.Context, in *module.Init) error {
	in.Log.Info().Msg("squawk")
	in.Handle("parrot.say", func(_ context.Context, msg *module.Message) (*module.Response, error) {
		return module.Payload(msg.Payload), nil
	})
	in.Handle("parrot.json", func(context.Context, *module.Message) (*module.Response, error) {
		return module.JSON(map[string]any{"status": "done", "note": "aGVsbG8=", "n": 7})
	})
	in.Handle("parrot.refuse", func(context.Context, *module.Message) (*module.Response, error) {
		return nil, module.Errorf("TOO_EARLY", "it is night")
	})
	in.Handle("parrot.crash", func(context.Context, *module.Message) (*module.Response, error) {
		os.Exit(3)
		return nil, nil
	})
	return nil
}

// parrotDir is a directory with the parrot's manifest.
func parrotDir(t *testing.T) string {
	binary, err := os.Executable()
	require.NoError(t, err)
	dir := shortDir(t)
	write(t, filepath.Join(dir, "manifest.toml"), fmt.Sprintf(testManifest, binary))
	return dir
}

// shortDir is a temporary directory whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "ixt")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func write(t *testing.T, path, text string) {
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// ixt runs a command line to its end.
func ixt(t *testing.T, args ...string) result {
	return ixtWith(t, strings.NewReader(""), args...)
}

func ixtWith(t *testing.T, stdin io.Reader, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := cli.Run(t.Context(), args, stdin, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

type result struct {
	code           int
	stdout, stderr string
}
