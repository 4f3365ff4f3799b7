package admin_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/supervisor"
)

// asModule makes this test binary the module below instead of running tests.
const asModule = "IXT_TEST_MODULE"

const testManifest = `
schema_version = "3.0"
[module]
name = "parrot"
version = "1.2.3"
description = "says what it is told"
[artifacts.process]
path = %q
env = { IXT_TEST_MODULE = "1" }
[provides]
services = ["parrot.say", "parrot.refuse", "parrot.sleep"]
[config]
token = { type = "string", required = true, secret = true }
`

func TestMain(m *testing.M) {
	if os.Getenv(asModule) != "" {
		module.Main(parrot{})
		return
	}
	goleak.VerifyTestMain(m)
}

// parrot answers, refuses, or sleeps until its caller gives up.
type parrot struct{ module.Base }

func (parrot) Init(_ context.Context, in *module.Init) error {
	in.Handle("parrot.say", func(_ context.Context, msg *module.Message) (*module.Response, error) {
		in.Log.Warn().Str("word", string(msg.Payload)).Msg("spoken")
		return module.Payload(msg.Payload), nil
	})
	in.Handle("parrot.refuse", func(context.Context, *module.Message) (*module.Response, error) {
		return nil, module.Errorf("TOO_EARLY", "it is night")
	})
	in.Handle("parrot.sleep", func(ctx context.Context, _ *module.Message) (*module.Response, error) {
		in.Log.Info().Msg("asleep")
		<-ctx.Done()
		in.Log.Info().Msg("woken")
		return nil, ctx.Err()
	})
	return nil
}

// parrotDir is a directory with the parrot's manifest.
func parrotDir(t *testing.T) string {
	binary, err := os.Executable()
	require.NoError(t, err)
	dir := shortDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.toml"), fmt.Appendf(nil, testManifest, binary), 0o600))
	return dir
}

// shortDir is a temporary directory whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "ixt")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// served is a running supervisor with its admin socket.
type served struct {
	sup    *supervisor.Supervisor
	client *admin.Client
	socket string
	stop   func() // stops the supervisor, and then its server
}

var testInfo = admin.Info{Version: "v9.9.9", Protocol: ipc.Version, PID: 4711, Started: time.Unix(1700000000, 0).UTC()}

func serveParrot(t *testing.T) *served {
	t.Setenv("PARROT_TOKEN", "hush")
	operator, err := manifest.ParseOperator("supervisor.toml", []byte(`module.parrot.secrets.token.env = "PARROT_TOKEN"`))
	require.NoError(t, err)
	sup, err := supervisor.New(&supervisor.Options{Dirs: []string{parrotDir(t)}, Operator: operator})
	require.NoError(t, err)
	path := filepath.Join(shortDir(t), "admin.sock")
	door, err := admin.Listen([]string{path}, "")
	require.NoError(t, err)

	life, end := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- sup.Run(life) }()
	answering, close := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() { answered <- admin.NewServer(sup, testInfo).Serve(answering, door) }()

	stopped := false
	s := &served{sup: sup, client: admin.NewClient([]string{path}), socket: path}
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		end()
		require.NoError(t, <-ran)
		close()
		require.NoError(t, <-answered)
	}
	t.Cleanup(s.stop)
	_, err = s.client.Call(t.Context(), admin.CallRequest{Topic: "parrot.say"}) // waits until it is ready
	require.NoError(t, err)
	return s
}
