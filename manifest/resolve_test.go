package manifest_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ixtrun/ixt/manifest"
	"github.com/stretchr/testify/require"
)

const press = `schema_version = "3.0"
module = { name = "press", version = "2.4.1" }
provides.services = ["press.check", "press.tune"]

[services."press.check"]
timeout = "800ms"
queue = 8

[restart]
give_up = 7
window = "1m"

[artifacts.process]
path = "press"
env = { A = "1", B = "2" }

[config]
limit = { type = "float", default = 5.0, min = 0, max = 50 }
line = { type = "string", required = true }
tags = { type = "array", default = ["a"] }
shape = { type = "table" }
token = { type = "string", secret = true }
pin = { type = "integer", secret = true, max = 9999 }
`

func parse(t *testing.T, src string) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Parse("/modules/press/manifest.toml", []byte(src))
	require.NoError(t, err)
	return m
}

func operator(t *testing.T, src string) *manifest.Operator {
	t.Helper()
	op, err := manifest.ParseOperator("/etc/ixt/supervisor.toml", []byte(src))
	require.NoError(t, err)
	return op
}

func sets(t *testing.T, texts ...string) []manifest.Set {
	t.Helper()
	var all []manifest.Set
	for _, text := range texts {
		set, err := manifest.ParseSet(text)
		require.NoError(t, err)
		require.Equal(t, text, set.String())
		all = append(all, set)
	}
	return all
}

func settings(m *manifest.Module) map[string]manifest.Setting {
	all := map[string]manifest.Setting{}
	for _, s := range m.Settings() {
		all[s.Key] = s
	}
	return all
}

func TestLayers(t *testing.T) {
	op := operator(t, `[module.press]
config = { line = "L7", limit = 7 }
restart = { window = "2m" }
artifacts.process.env = { B = "3" }
services."press.check".queue = 16
`)
	m, err := manifest.Resolve(parse(t, press), op, sets(t, "press:limit=8.5", "press:services.press.check.concurrency=4", "press:restart.window=3m", "other:limit=1")...)
	require.NoError(t, err)

	got := settings(m)
	for _, want := range []manifest.Setting{
		{"health.interval", `"10s"`, "default"},
		{"restart.give_up", `7`, "manifest.toml:10"},
		{"restart.window", `"3m"`, "flag --set"},
		{"artifacts.process.env.A", `"1"`, "manifest.toml:15"},
		{"artifacts.process.env.B", `"3"`, "supervisor.toml:4"},
		{`services."press.check".timeout`, `"800ms"`, "manifest.toml:6"},
		{`services."press.check".queue`, `16`, "supervisor.toml:5"},
		{`services."press.check".concurrency`, `4`, "flag --set"},
		{`services."press.tune".queue`, `64`, "default"},
		{"config.limit", `8.5`, "flag --set"},
		{"config.line", `"L7"`, "supervisor.toml:2"},
		{"config.tags", `["a"]`, "manifest.toml:20"},
		{"module.runtime_targets", `["Process"]`, "default"},
	} {
		require.Equal(t, want, got[want.Key])
	}
	require.NotContains(t, got, "config.shape", "no value was given")
	require.NotContains(t, got, "module.author", "no text was given")
	require.NotContains(t, got, "artifacts.process.env", "it is shown key by key")
	for key, empty := range map[string]string{
		"requires.services": "[]", "requires.events": "[]", "artifacts.process.args": "[]", "artifacts.process.build": "[]",
		"after": "{}", "restart.on": "{}",
	} {
		require.Equal(t, manifest.Setting{Key: key, Value: empty, Origin: "default"}, got[key])
	}
	require.Equal(t, map[string]any{"limit": 8.5, "line": "L7", "tags": []any{"a"}}, m.Config)
	require.Equal(t, "press:2.4.1", m.ID())
	require.Equal(t, "/modules/press", m.Dir)
}

func TestDefaults(t *testing.T) {
	m, err := manifest.Resolve(parse(t, `schema_version = "3.0"
module = { name = "press", version = "1.0.0" }
provides.services = ["press.check"]
after.historian = "ready"`), manifest.NoOperator())
	require.NoError(t, err)
	second := func(n float64) manifest.Duration { return manifest.Duration(n * 1e9) }
	require.Equal(t, manifest.Process{Protocol: "ixt", Peer: "process", Workdir: "."}, m.Process)
	require.Equal(t, manifest.Start{Timeout: second(30)}, m.Start)
	require.Equal(t, manifest.Scale{Instances: 1}, m.Scale)
	require.Equal(t, manifest.Restart{Initial: second(0.2), Max: second(30), Jitter: 0.2, Forgive: second(60), GiveUp: 5, Window: second(300), Retry: second(3600)}, m.Restart)
	require.Equal(t, manifest.Health{Interval: second(10), Timeout: second(3), Failures: 3, Overdue: second(30), Dump: "auto"}, m.Health)
	require.Equal(t, manifest.Stop{Drain: second(10), Shutdown: second(10), Term: second(5)}, m.Stop)
	require.Equal(t, manifest.Replace{Mode: "stop-first"}, m.Replace)
	require.Equal(t, manifest.Logs{MaxSize: 8 << 20, MaxAge: second(14 * 24 * 3600)}, m.Logs)
	require.Equal(t, map[string]manifest.Service{"press.check": {Timeout: second(30), Queue: 64, Attempts: 3}}, m.Services)
	require.Equal(t, map[string]manifest.After{"historian": {Until: "ready"}}, m.After)
	require.Equal(t, manifest.Size(2<<30), operator(t, "").State.Max)
}

func TestSecrets(t *testing.T) {
	t.Setenv("PRESS_TOKEN", "hunter2")
	file := filepath.Join(t.TempDir(), "pin")
	require.NoError(t, os.WriteFile(file, []byte("1234\n"), 0o600))
	op := operator(t, `[module.press]
config.line = "L7"
secrets = { token = { env = "PRESS_TOKEN" }, pin = { file = "`+file+`" } }`)
	m, err := manifest.Resolve(parse(t, press), op, sets(t, "press:secrets.limit.env=PRESS_LIMIT")...)
	require.EqualError(t, err, `--set press:secrets.limit.env: secrets.limit: environment variable PRESS_LIMIT is not set; set it for the supervisor`)
	require.Nil(t, m)

	t.Setenv("PRESS_LIMIT", "7")
	m, err = manifest.Resolve(parse(t, press), op, sets(t, "press:secrets.limit.env=PRESS_LIMIT")...)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"limit": 7.0, "line": "L7", "tags": []any{"a"}, "token": "hunter2", "pin": int64(1234)}, m.Config)
	got := settings(m)
	require.Equal(t, manifest.Setting{Key: "config.token", Value: "(secret)", Origin: "env PRESS_TOKEN"}, got["config.token"])
	require.Equal(t, manifest.Setting{Key: "config.pin", Value: "(secret)", Origin: "file " + file}, got["config.pin"])
	require.Equal(t, manifest.Setting{Key: "config.limit", Value: "(secret)", Origin: "env PRESS_LIMIT"}, got["config.limit"])

	// Even where the value is what is wrong it is not repeated.
	require.NoError(t, os.WriteFile(file, []byte("77777"), 0o600))
	_, err = manifest.Resolve(parse(t, press), op)
	require.EqualError(t, err, `/etc/ixt/supervisor.toml:3:52: module.press.secrets.pin: the value is more than max, 9999; write 9999 or less`)
	require.NoError(t, os.WriteFile(file, []byte("geheim"), 0o600))
	_, err = manifest.Resolve(parse(t, press), op)
	require.EqualError(t, err, `/etc/ixt/supervisor.toml:3:52: module.press.secrets.pin: the value is a string, type says integer; write an integer`)
	require.NoError(t, os.Remove(file))
	_, err = manifest.Resolve(parse(t, press), op)
	require.EqualError(t, err, `/etc/ixt/supervisor.toml:3:52: module.press.secrets.pin: `+file+`: does not exist; check the path`)
}

func TestResolveProblems(t *testing.T) {
	line := "[module.press]\nconfig.line = \"L7\"\n"
	for _, c := range []struct {
		name, op string
		sets     []string
		want     string
	}{
		{"required", "", nil, `/modules/press/manifest.toml:19:8: config.line: a value is required; write [module.press] config = { line = ... } in supervisor.toml, give --set 'press:config.line=...', or add a default here`},
		{"type", line + "config.limit = \"7\"", nil, `/etc/ixt/supervisor.toml:3:16: module.press.config.limit: "7" is a string, type says float; write 7.0`},
		{"bound", line + "config.limit = 51", nil, `/etc/ixt/supervisor.toml:3:16: module.press.config.limit: 51.0 is more than max, 50; write 50 or less`},
		{"no such key", line + "config.limt = 5", nil, `/etc/ixt/supervisor.toml:3:15: module.press.config.limt: is not a config key of press; did you mean limit?`},
		{"no such secret", line + "secrets.tokn.env = \"X\"", nil, `/etc/ixt/supervisor.toml:3:9: module.press.secrets.tokn: is not a config key of press; did you mean token?`},
		{"secret in the open", line + "config.token = \"hunter2\"", nil, `/etc/ixt/supervisor.toml:3:16: module.press.config.token: is a secret, its value is never written in a file or flag; write secrets.token = { env = "NAME" } or { file = "PATH" }`},
		{"another's topic", line + "services.\"press.chek\".queue = 1", nil, `/etc/ixt/supervisor.toml:3:10: module.press.services."press.chek": is not in provides.services; did you mean press.check?`},
		{"two layers do not fit", line + "restart.initial = \"1m\"", nil, `/etc/ixt/supervisor.toml:3:19: module.press.restart.initial: max, "30s", is less than initial, "1m"; write max = "1m" or more`},
		{"two programs", line + "artifacts.process = { path = \"a\", interpreter = \"b\", entry = \"c\" }", nil, `/etc/ixt/supervisor.toml:3:30: module.press.artifacts.process.path: path and interpreter exclude each other; keep path and args, or interpreter, entry and args`},

		{"flag's type", line, []string{"press:restart.give_up=many"}, `--set press:restart.give_up: restart.give_up: "many" is a string, type says integer; write a whole number such as 5`},
		{"flag's rule", line, []string{"press:restart.give_up=0"}, `--set press:restart.give_up: restart.give_up: 0 is less than the least value, 1; write 1 or more`},
		{"flag's duration", line, []string{"press:start.timeout=5"}, `--set press:start.timeout: start.timeout: "5" is no duration; write "5s"`},
		{"flag's config type", line, []string{"press:limit=high"}, `--set press:limit: config.limit: "high" is a string, type says float; write a number such as 0.5`},
		{"flag's key", line, []string{"press:limt=1"}, `--set press:limt: unknown key; did you mean limit?`},
		{"flag's table", line, []string{"press:restrat.give_up=1"}, `--set press:restrat.give_up: unknown key; did you mean restart?`},
		{"flag's deep key", line, []string{"press:restart.giv_up=1"}, `--set press:restart.giv_up: restart.giv_up: unknown key; did you mean give_up?`},
		{"flag's topic", line, []string{"press:services.press.chek.queue=1"}, `--set press:services.press.chek.queue: services."press.chek": is not in provides.services; did you mean press.check?`},
		{"flag is no key", line, []string{"press:a b=1"}, `--set press:a b: "a b" is no key; join names with dots; quote those with other characters than letters, digits, _ and -`},
		{"flag for the author", line, []string{"press:module.name=x"}, `--set press:module.name: module: is said by the module's author alone, in manifest.toml; remove it here`},
		{"flag with a secret", line, []string{"press:token=hunter2"}, `--set press:token: config.token: is a secret, its value is never written in a file or flag; write secrets.token = { env = "NAME" } or { file = "PATH" }`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := manifest.Resolve(parse(t, press), operator(t, c.op), sets(t, c.sets...)...)
			require.EqualError(t, err, c.want)
		})
	}
}

func TestOperatorWithoutFile(t *testing.T) {
	m, err := manifest.Resolve(parse(t, press), new(manifest.Operator), sets(t, "press:line=L7")...)
	require.NoError(t, err)
	require.Equal(t, "L7", m.Config["line"])
}

func TestRequiredSecret(t *testing.T) {
	m := parse(t, head+`config.api-token = { type = "string", required = true, secret = true }`)
	_, err := manifest.Resolve(m, manifest.NoOperator())
	require.EqualError(t, err, `/modules/press/manifest.toml:3:20: config.api-token: a value is required; write [module.press] secrets = { api-token = { env = "PRESS_API_TOKEN" } } or { file = "PATH" } in supervisor.toml, or give --set 'press:secrets.api-token.env=PRESS_API_TOKEN'`)
}

func TestSetReadsByType(t *testing.T) {
	for text, want := range map[string]any{
		"press:line=true":            "true",
		"press:line=":                "",
		"press:config.line=a=b":      "a=b",
		`press:tags=["x", 1]`:        []any{"x", int64(1)},
		"press:limit=7":              7.0,
		"press:shape={ a = 1 }":      map[string]any{"a": int64(1)},
		"press:config.shape={ a=1 }": map[string]any{"a": int64(1)},
	} {
		m, err := manifest.Resolve(parse(t, press), manifest.NoOperator(), sets(t, "press:line=L7", text)...)
		require.NoError(t, err, text)
		require.Contains(t, m.Config, "line")
		require.Contains(t, values(m.Config), want, text)
	}
	m, err := manifest.Resolve(parse(t, press), manifest.NoOperator(), sets(t, "press:line=x",
		`press:artifacts.process.args=["-v"]`, "press:artifacts.process.env.PORT=80", "press:after.historian=ready",
		`press:services."press.check".idempotent=true`, "press:logs.max_size=1MiB")...)
	require.NoError(t, err)
	require.Equal(t, []string{"-v"}, m.Process.Args)
	require.Equal(t, map[string]string{"A": "1", "B": "2", "PORT": "80"}, m.Process.Env)
	require.Equal(t, map[string]manifest.After{"historian": {Until: "ready"}}, m.After)
	require.True(t, m.Services["press.check"].Idempotent)
	require.Equal(t, manifest.Size(1<<20), m.Logs.MaxSize)

	for _, text := range []string{"press", "press:limit", ":limit=5", "press:=5", ""} {
		_, err := manifest.ParseSet(text)
		require.EqualError(t, err, "--set "+text+": is not module:key=value; write it as in --set press:restart.give_up=10")
	}
}

func values(m map[string]any) []any {
	var all []any
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

func TestPlatform(t *testing.T) {
	here := runtime.GOOS + "-" + runtime.GOARCH
	m := parse(t, head+`[artifacts.process]
interpreter = "python3"
entry = "press.py"
env = { A = "1" }
[artifacts.process.`+here+`]
path = "press.bin"
env = { B = "2" }
[artifacts.process.linux-s390x]
path = "other.bin"
`)
	require.Equal(t, "press.bin", m.Process.Path)
	out, err := manifest.Resolve(m, operator(t, `module.press.artifacts.process.entry = "x.py"
module.press.artifacts.process.interpreter = "python4"`))
	require.NoError(t, err)
	require.Equal(t, "", out.Process.Path, "the operator's interpreter replaces the path")
	require.Equal(t, "python4", out.Process.Interpreter)
	out, err = manifest.Resolve(m, manifest.NoOperator())
	require.NoError(t, err)
	require.Empty(t, out.Process.Interpreter+out.Process.Entry)
	require.Equal(t, map[string]string{"A": "1", "B": "2"}, out.Process.Env)
	require.Equal(t, "manifest.toml:8", settings(out)["artifacts.process.path"].Origin)
	require.Equal(t, "manifest.toml:6", settings(out)["artifacts.process.env.A"].Origin)
}

func TestOperatorPaths(t *testing.T) {
	op := operator(t, `modules = ["modules", "/opt/m"]
state.dir = "../state"
admin = { socket = "admin.sock", group = "ixt" }`)
	require.Equal(t, []string{"/etc/ixt/modules", "/opt/m"}, op.Modules)
	require.Equal(t, "/etc/state", op.State.Dir)
	require.Equal(t, manifest.OperatorAdmin{Socket: "/etc/ixt/admin.sock", Group: "ixt"}, op.Admin)
	require.Empty(t, operator(t, "").State.Dir)
}

func TestNobodysName(t *testing.T) {
	ms := []*manifest.Manifest{parse(t, press)}
	require.NoError(t, manifest.CheckOperator(manifest.NoOperator(), ms))
	require.NoError(t, manifest.CheckOperator(new(manifest.Operator), ms))
	require.NoError(t, manifest.CheckOperator(operator(t, "[module.press]"), ms))
	require.EqualError(t, manifest.CheckOperator(operator(t, "\n[module.pres]"), ms),
		"/etc/ixt/supervisor.toml:2:9: module.pres: no module has this name; did you mean press?")
	require.NoError(t, manifest.CheckSets(sets(t, "press:limit=1"), ms))
	require.EqualError(t, manifest.CheckSets(sets(t, "pres:limit=1"), ms), `--set pres:limit: no module is called "pres"; did you mean press?`)
}

func TestResolveLeavesItsInputAlone(t *testing.T) {
	m := parse(t, press)
	op := operator(t, "[module.press]\nconfig.line = \"L7\"\nartifacts.process.env.B = \"3\"")
	one, err := manifest.Resolve(m, op)
	require.NoError(t, err)
	one.Process.Env["B"], one.Services["press.check"] = "x", manifest.Service{}
	two, err := manifest.Resolve(m, op)
	require.NoError(t, err)
	require.Equal(t, "3", two.Process.Env["B"])
	require.Equal(t, 8, two.Services["press.check"].Queue)
	require.Equal(t, "2", m.Process.Env["B"])
}
