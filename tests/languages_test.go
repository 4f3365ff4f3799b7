package tests

import (
	"encoding/base64"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/supervisor"
)

func needPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("not run: there is no python3 in PATH")
	}
}

// newExamples is a fleet of the modules in examples/, built first.
func newExamples(t *testing.T) *fleet {
	f := newFleet(t)
	f.ctx, _ = patienceFor(t, 2*time.Minute)
	f.dir = filepath.Join("..", "examples")
	f.opts.OnDemand = true
	f.opts.Build = true
	return f
}

func TestExamplesCallEachOther(t *testing.T) {
	needPython(t)
	f := newExamples(t).start()
	for topic, want := range map[string]string{
		"echo.say":    "ada",
		"greet.hello": "hello, ada",
		"echo.greet":  "hello, ada", // Go calls Python
		"greet.loud":  "HELLO, ADA", // Python calls Go
	} {
		got, err := f.say(topic, "ada")
		require.NoError(t, err, topic)
		require.Equal(t, want, got, topic)
	}
}

// The seed's manifest as it stands: no entry point, so my_module.py beside it is the module.
const seedManifest = `# manifest.toml
schema_version = "3.0"
[module]
name = "my-module"
version = "1.0.0"
description = "My IXT module"
author = "Your Name"
license = "MIT"
runtime_targets = ["Process"]
[provides]
services = ["my.service.process", "my.service.query"]
[config]
database_url = { type = "string", default = "sqlite:///data.db" }
`

func TestSeedQuickStart(t *testing.T) {
	needPython(t)
	f := newFleet(t)
	f.write("my-module", seedManifest+"[health]\ninterval = \"10ms\"\n")
	dir := filepath.Join(f.dir, "my-module")
	sdk := filepath.Join("..", "sdk", "python")
	writeFile(t, filepath.Join(dir, "ixt_process_module.py"), readFile(t, filepath.Join(sdk, "ixt_process_module.py")))
	writeFile(t, filepath.Join(dir, "my_module.py"), readFile(t, filepath.Join(sdk, "tests", "modules", "quickstart.py")))
	f.start()

	answer, err := f.Call(f.ctx, supervisor.Message{Topic: "my.service.process", Payload: []byte("abc")})
	require.NoError(t, err)
	var data struct{ Result string }
	require.NoError(t, answer.Unpack(&data))
	require.Equal(t, base64.StdEncoding.EncodeToString([]byte("cba")), data.Result)

	answer, err = f.Call(f.ctx, supervisor.Message{Topic: "my.service.query", Payload: []byte("7")})
	require.NoError(t, err)
	require.JSONEq(t, `{"data":"`+base64.StdEncoding.EncodeToString([]byte("row of 7"))+`"}`, string(answer.JSON()))

	m, err := f.Module("my-module")
	require.NoError(t, err)
	require.Equal(t, supervisor.Ready, m.Instances[0].State)
	f.halt()
	for _, e := range f.Journal().Last(1000) {
		require.NotEqual(t, supervisor.Backoff, e.State, "it did not live through: %s", e)
	}
}
