package manifest_test

import (
	"strings"
	"testing"

	"github.com/ixtrun/ixt/manifest"
	"github.com/stretchr/testify/require"
)

const head = `schema_version = "3.0"
module = { name = "press", version = "1.0.0" }
`

// Every case follows the two lines of head, so its first line is line 3.
func TestManifestProblems(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"unknown key", `health.intervall = "5s"`, `:3:8: health.intervall: unknown key; did you mean interval?`},
		{"unknown table", "[restrat]\ngive_up = 3", `:3:2: restrat: unknown key; did you mean restart?`},
		{"key of a deeper table", `process = { path = "x" }`, `:3:1: process: unknown key; did you mean artifacts.process?`},
		{"nothing near", `start.zebra = 1`, `:3:7: start.zebra: unknown key; known here: timeout`},
		{"two mistakes", "start.timeout = 5\nscale.instances = \"2\"",
			":3:17: start.timeout: 5 is an integer, type says duration; write \"5s\"\nmanifest.toml:4:19: scale.instances: \"2\" is a string, type says integer; write 2"},
		{"duration without unit", `start.timeout = "5"`, `:3:17: start.timeout: "5" is no duration; write "5s"`},
		{"duration in days", `logs.max_age = "14d"`, `:3:16: logs.max_age: "14d" is no duration; write "336h"`},
		{"no duration at all", `logs.max_age = "soon"`, `:3:16: logs.max_age: "soon" is no duration; write a number with its unit (ms, s, m or h), such as "5s"`},
		{"negative duration", `stop.drain = "-5s"`, `:3:14: stop.drain: "-5s" is less than the least value, 0s; write "0s" or more`},
		{"zero where it makes no sense", `start.timeout = "0s"`, `:3:17: start.timeout: "0s" is less than the least value, 1ms; write "1ms" or more`},
		{"size in other letters", `logs.max_size = "8mb"`, `:3:17: logs.max_size: "8mb" is no size; write "8MB"`},
		{"size as a number", `logs.max_size = 8388608`, `:3:17: logs.max_size: 8388608 is an integer, type says size; write "8MiB"`},
		{"too many", `scale.instances = 1000`, `:3:19: scale.instances: 1000 is more than the greatest value, 999; write 999 or less`},
		{"nan", `restart.jitter = nan`, `:3:18: restart.jitter: NaN is more than the greatest value, 1; write 1 or less`},
		{"string for boolean", "provides.services = [\"a\"]\nservices.a.idempotent = \"True\"", `:4:25: services.a.idempotent: "True" is a string, type says boolean; write true`},
		{"string for list", `provides.services = "press.check"`, `:3:21: provides.services: "press.check" is a string, type says array of strings; write ["press.check"]`},
		{"number in a list", `artifacts.process.build = ["make", 5]`, `:3:36: artifacts.process.build[1]: 5 is an integer, type says string; write "5"`},
		{"value for table", `restart = true`, `:3:11: restart: true is a boolean, type says table; write a table: { name = value }`},
		{"date", `restart = 2020-01-01`, `:3:11: restart: 2020-01-01 is a date or time, type says table; write a table: { name = value }`},
		{"date for string", `artifacts.process.path = 2020-01-01`, `:3:26: artifacts.process.path: 2020-01-01 is a date or time, type says string; write text in quotes`},
		{"enum", `replace.mode = "start_first"`, `:3:16: replace.mode: "start_first" is not one of stop-first, start-first; write "start-first"`},
		{"enum far off", `artifacts.process.protocol = "grpc"`, `:3:30: artifacts.process.protocol: "grpc" is not one of ixt, none; write "ixt"`},
		{"NUL", `artifacts.process.args = ["a\u0000b"]`, `:3:27: artifacts.process.args[0]: "a\x00b" has a NUL character; remove it`},
		{"max below initial", "[restart]\ninitial = \"1m\"", `:4:11: restart.initial: max, "30s", is less than initial, "1m"; write max = "1m" or more`},
		{"max below initial, max written", "[restart]\nmax = \"1ms\"", `:4:7: restart.max: max, "1ms", is less than initial, "200ms"; write max = "200ms" or more`},

		{"path and interpreter", `artifacts.process = { path = "a", interpreter = "b", entry = "c" }`, `:3:30: artifacts.process.path: path and interpreter exclude each other; keep path and args, or interpreter, entry and args`},
		{"interpreter alone", `artifacts.process.interpreter = "node"`, `:3:33: artifacts.process.interpreter: interpreter without entry; add entry = "FILE", the file it runs`},
		{"entry alone", `artifacts.process.entry = "a.py"`, `:3:27: artifacts.process.entry: entry without interpreter; add interpreter = "python3" or another; for an executable write path instead of entry`},
		{"empty build", `artifacts.process.build = []`, `:3:27: artifacts.process.build: names no program; write the program and its arguments, such as ["go", "build", "-o", "press", "."]`},
		{"environment name", `artifacts.process.env = { "A=B" = "c" }`, `:3:35: artifacts.process.env."A=B": is no name of an environment variable; use letters, digits and _`},
		{"environment to pass", `artifacts.process.env_pass = ["A=b"]`, `:3:31: artifacts.process.env_pass[0]: "A=b" is no name of an environment variable; use letters, digits and _, with * at the end for any rest; values belong in env`},
		{"digest", `artifacts.process.digests = { "a.py" = "md5:00" }`, `:3:40: artifacts.process.digests."a.py": "md5:00" is no digest; write "sha256:" and the 64 hex digits that sha256sum prints`},
		{"digest outside", `artifacts.process.digests = { "../a" = "sha256:` + strings.Repeat("0", 64) + `" }`, `:3:40: artifacts.process.digests."../a": is not a file below the manifest's directory; write a path relative to the manifest, without ..`},
		{"platform", `artifacts.process.linux-arm46.path = "a"`, `:3:19: artifacts.process.linux-arm46: unknown platform; did you mean linux-arm64?`},
		{"platform's key", `artifacts.process.linux-s390x.pat = "a"`, `:3:31: artifacts.process.linux-s390x.pat: unknown key; did you mean path?`},
		{"platform within platform", `artifacts.process.linux-s390x.linux-arm64.path = "a"`, `:3:31: artifacts.process.linux-s390x.linux-arm64: unknown key; known here: protocol, peer, path, interpreter, entry, args, env, env_pass, workdir, build, digests`},
		{"platform's two programs", `artifacts.process.linux-s390x = { path = "a", interpreter = "b", entry = "c" }`, `:3:42: artifacts.process.linux-s390x.path: path and interpreter exclude each other; keep path and args, or interpreter, entry and args`},

		{"fault below a platform's keys", "[artifacts.process]\ninterpreter = \"node\"\n[artifacts.process.linux-amd64]\nargs = [\"a\"]\n[artifacts.process.linux-s390x]\nworkdir = \"b\"",
			`:4:15: artifacts.process.interpreter: interpreter without entry; add entry = "FILE", the file it runs`},
		{"fault of every platform's own", "[artifacts.process.linux-amd64]\ninterpreter = \"a\"\n[artifacts.process.linux-s390x]\nbuild = [\"\"]\nenv_pass = [\"A=\", 5]",
			`:4:15: artifacts.process.linux-amd64.interpreter: interpreter without entry; add entry = "FILE", the file it runs
manifest.toml:6:10: artifacts.process.linux-s390x.build[0]: names no program; write the program and its arguments, such as ["go", "build", "-o", "press", "."]
manifest.toml:7:13: artifacts.process.linux-s390x.env_pass[0]: "A=" is no name of an environment variable; use letters, digits and _, with * at the end for any rest; values belong in env
manifest.toml:7:19: artifacts.process.linux-s390x.env_pass[1]: 5 is an integer, type says string; write "5"`},
		{"what a platform adds", "[artifacts.process]\ninterpreter = \"node\"\n[artifacts.process.linux-s390x]\nentry = \"a.js\"\nenv = { \"\" = \"b\" }",
			`:4:15: artifacts.process.interpreter: interpreter without entry; add entry = "FILE", the file it runs
manifest.toml:7:14: artifacts.process.linux-s390x.env."": is no name of an environment variable; use letters, digits and _`},

		{"number among topics", `provides.services = ["press.check", 5]`, `:3:37: provides.services[1]: 5 is an integer, type says string; write "5"`},
		{"rules for a far topic", "provides.services = [\"a.b\", \"a.b\", \"*.c\", \"\"]\nservices.\"zz.y\".queue = 1", `:3:29: provides.services[1]: "a.b" is given twice; keep one of them
manifest.toml:3:36: provides.services[2]: topic "*.c" has a wildcard; name every topic; wildcards belong in [requires]
manifest.toml:3:43: provides.services[3]: topic "" has an empty segment; write names joined by single dots, such as "press.check"
manifest.toml:4:10: services."zz.y": is not in provides.services; known here: a.b`},
		{"empty topic", `provides.services = [""]`, `:3:22: provides.services[0]: topic "" has an empty segment; write names joined by single dots, such as "press.check"`},
		{"topic with space", `provides.services = ["a.b c"]`, `:3:22: provides.services[0]: topic "a.b c" has the character ' '; use letters, digits, _ and - with dots between`},
		{"bucket", `requires.kv = ["Line State"]`, `:3:16: requires.kv[0]: "Line State" is no name for a bucket; write lower-case letters, digits, - and _, a letter first, such as "line-state"`},
		{"rest in the middle", `requires.services = ["a.>.b"]`, `:3:22: requires.services[0]: topic "a.>.b" has > before its end; write > as the last segment, or * for one segment`},
		{"wildcard within", `requires.events = ["a.b*"]`, `:3:20: requires.events[0]: topic "a.b*" has the character '*'; use letters, digits, _ and - with dots between`},
		{"long topic", `provides.services = ["` + strings.Repeat("a", 256) + `"]`, `:3:22: provides.services[0]: "aaaaaaaaaaaaaaaaaaaa"... has 256 bytes, a topic has at most 255; shorten it`},
		{"topic twice", `provides.services = ["a", "a"]`, `:3:27: provides.services[1]: "a" is given twice; keep one of them`},
		{"rules for another topic", "provides.services = [\"press.check\"]\nservices.\"press.chek\".queue = 1", `:4:10: services."press.chek": is not in provides.services; did you mean press.check?`},
		{"topics without a protocol", "artifacts.process.protocol = \"none\"\nprovides.services = [\"a\"]", `:4:21: provides.services: protocol "none" answers no calls; remove the topics, or write protocol = "ixt"`},
		{"instances of a singleton", "[scale]\nsingleton = true\ninstances = 2", `:5:13: scale.instances: 2 instances of a singleton; write instances = 1, or remove singleton`},
		{"successor of a singleton", "scale.singleton = true\nreplace.mode = \"start-first\"", `:4:16: replace.mode: a singleton cannot have a successor that is ready before it ends; write mode = "stop-first", or remove singleton`},
		{"after itself", `after.press = "ready"`, `:3:15: after.press: a module cannot start after itself; remove it`},
		{"after what", `after.other = "redy"`, `:3:15: after.other: "redy" is not one of ready; write "ready"`},
		{"after number", `after.other = 5`, `:3:15: after.other: 5 is an integer, type says string; write "5"`},

		{"default of another type", `config.port = { type = "integer", default = "80" }`, `:3:45: config.port: default "80" is a string, type says integer; write 80`},
		{"float for integer", `config.port = { type = "integer", default = 80.0 }`, `:3:45: config.port: default 80.0 is a float, type says integer; write 80`},
		{"integer for string", `config.zip = { type = "string", default = 12345 }`, `:3:43: config.zip: default 12345 is an integer, type says string; write "12345"`},
		{"string for float", `config.x = { type = "float", default = "0,5" }`, `:3:40: config.x: default "0,5" is a string, type says float; write a number such as 0.5`},
		{"boolean for table", `config.x = { type = "table", default = true }`, `:3:40: config.x: default true is a boolean, type says table; write a table: { name = value }`},
		{"string for array", `config.x = { type = "array", default = "a" }`, `:3:40: config.x: default "a" is a string, type says array; write ["a"]`},
		{"value instead of declaration", `config.port = 80`, `:3:15: config.port: 80 is an integer, type says table; write { type = "integer", default = 80 }`},
		{"no type", `config.port = { default = 80 }`, `:3:15: config.port.type: missing; write type = "string"`},
		{"type", `config.port = { type = "int" }`, `:3:24: config.port.type: "int" is not one of string, integer, float, boolean, array, table; write "string"`},
		{"below min", `config.port = { type = "integer", min = 10, default = 5 }`, `:3:55: config.port: default 5 is less than min, 10; write 10 or more`},
		{"above max", `config.limit = { type = "float", max = 5, default = 7.5 }`, `:3:53: config.limit: default 7.5 is more than max, 5; write 5 or less`},
		{"short", `config.key = { type = "string", min = 3, default = "öö" }`, `:3:52: config.key: default "öö" has 2 characters, less than min, 3; write 3 of them or more`},
		{"long", `config.key = { type = "array", max = 1, default = [1, 2] }`, `:3:51: config.key: default [1, 2] has 2 values, more than max, 1; write 1 of them or less`},
		{"min above max", `config.x = { type = "integer", min = 2, max = 1 }`, `:3:47: config.x.max: max, 1, is less than min, 2; exchange them`},
		{"bound of a boolean", `config.x = { type = "boolean", min = 2 }`, `:3:38: config.x.min: a boolean has no min; remove it`},
		{"bound with fraction", `config.x = { type = "integer", min = 2.5 }`, `:3:38: config.x.min: 2.5 is a float, type says integer; write a whole number such as 5`},
		{"length with fraction", `config.x = { type = "string", max = 2.5 }`, `:3:37: config.x.max: 2.5 is no length; write a whole number, 0 or more`},
		{"bound as text", `config.x = { type = "integer", min = "2" }`, `:3:38: config.x.min: "2" is a string, type says number; write 2`},
		{"not in enum", `config.x = { type = "string", enum = ["a", "b"], default = "c" }`, `:3:60: config.x: default "c" is not one of ["a", "b"]; write one of them`},
		{"enum of another type", `config.x = { type = "string", enum = ["a", 5] }`, `:3:44: config.x.enum[1]: 5 is an integer, type says string; write "5"`},
		{"secret with default", `config.x = { type = "string", secret = true, default = "hunter2" }`, `:3:56: config.x.default: a secret has no default, its value would be in the manifest; remove it; the operator gives the value by secrets in supervisor.toml`},
		{"date as default", `config.x = { type = "array", default = [[2020-01-01]] }`, `:3:42: config.x.default: 2020-01-01 is a date or time, for which there is no type; write "2020-01-01"`},
		{"infinite default", `config.x = { type = "float", default = inf }`, `:3:40: config.x.default: +Inf cannot be handed to a module; write a finite number`},

		{"key twice", "start.timeout = \"5s\"\nstart.timeout = \"6s\"", `:4:7: start.timeout: is given twice; the first time is in line 3; keep one of them`},
		{"key twice in a table", "[restart]\ngive_up = 1\ngive_up = 2", `:5:1: restart.give_up: is given twice; the first time is in line 4; keep one of them`},
		{"table twice", "[restart]\n[restart]", `:4:2: restart: is given twice; the first time is in line 3; keep one of them`},
		{"inline table extended", "module.author = \"me\"", `:3:1: module: has been given already; the first time is in line 2; keep one of them`},
		{"table below a value", "scale = 1\n[scale.x]", ":3:9: scale: 1 is an integer, type says table; write a table: { name = value }\nmanifest.toml:4:2: scale: has been given as a value already; the first time is in line 3; keep one of them"},
		{"list of tables", "[[restart]]", `:3:3: restart: [{}] is an array, type says table; write a table: { name = value }`},

		{"text without quotes", `start.timeout = 5s`, `:3:18: strings must be quoted; text needs quotes: key = "value"`},
		{"word without quotes", `replace.mode = stop-first`, `:3:16: unexpected character U+0073 's' at start of value; text needs quotes: key = "value"`},
		{"boolean in capitals", `after.x.restart = True`, `:3:19: unexpected character U+0054 'T' at start of value; text needs quotes: key = "value"`},
		{"open string", `replace.mode = "stop-first`, `:3:26: unterminated basic string; close the string`},
		{"open array", `provides.services = ["a",`, `:3:25: array is incomplete; close the array with ]`},
		{"open header", "[restart\n", `:3:9: expected ']' to close table name; write [name] on a line of its own`},
		{"no value", "replace.mode =\n", `:3:15: unexpected character U+000A at start of value; text needs quotes: key = "value"`},
		{"leading zero", `scale.instances = 01`, `:3:19: integers cannot have leading zeroes; remove the zeroes, or put the number in quotes`},
		{"more than 64 bits", `scale.instances = 9223372036854775808`, `:3:19: 9223372036854775808 is no integer of 64 bits; write a number from -9223372036854775808 to 9223372036854775807, without leading zeros`},
		{"escape", `replace.mode = "\q"`, `:3:17: invalid escape character U+0071 'q'; write \\ for a backslash, or use '...' for text without escapes`},
		{"not UTF-8", "# ö\xff", `:3:4: byte 0xff is not UTF-8; save the file as UTF-8`},
		{"column in characters", `module2 = "ö" x`, `:3:15: expected newline but got U+0078 'x'; put each key = value on a line of its own`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := manifest.Parse("manifest.toml", []byte(head+c.src))
			require.EqualError(t, err, "manifest.toml"+c.want)
			var one manifest.Problem
			require.ErrorAs(t, err, &one)
			require.Positive(t, one.Line)
		})
	}
}

func TestIdentityProblems(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"empty file", "", `manifest.toml:1:1: schema_version: missing; write schema_version = "3.0"
manifest.toml:1:1: module.name: missing; write name = "press-model"
manifest.toml:1:1: module.version: missing; write version = "1.0.0"`},
		{"header alone", "schema_version = \"3.1\"\n\n[module]\n", `manifest.toml:3:2: module.name: missing; write name = "press-model"
manifest.toml:3:2: module.version: missing; write version = "1.0.0"`},
		{"name and version", "schema_version = \"3.0\"\n[module]\nname = \"Press Model\"\nversion = \"v1.2\"\n",
			`manifest.toml:3:8: module.name: "Press Model" is no name for a module; write lower-case letters, digits, - and _, a letter first, such as "press-model"
manifest.toml:4:11: module.version: "v1.2" is no version; write major.minor.patch, such as "1.2.0"`},
		{"empty ones", "schema_version = \"\"\n[module]\nname = \"\"\nversion = \"\"\n",
			`manifest.toml:1:18: schema_version: "" is a format that is not read here; write "3.0"
manifest.toml:3:8: module.name: "" is no name for a module; write lower-case letters, digits, - and _, a letter first
manifest.toml:4:11: module.version: "" is no version; write major.minor.patch, such as "1.0.0"`},
		{"long name", "schema_version = \"3.0\"\nmodule = { name = \"" + strings.Repeat("a", 41) + "\", version = \"1.0.0\" }",
			`manifest.toml:2:19: module.name: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa... has 41 characters, a name has at most 40; shorten it`},
		{"format", "schema_version = \"2.0\"\nmodule = { name = \"a\", version = \"1.0.0\" }", `manifest.toml:1:18: schema_version: "2.0" is a format that is not read here; write "3.0"`},
		{"format as a number", "schema_version = 3.0\nmodule = { name = \"a\", version = \"1.0.0\" }", `manifest.toml:1:18: schema_version: 3.0 is a float, type says string; write "3.0"`},
		{"targets", "schema_version = \"3.0\"\nmodule = { name = \"a\", version = \"1.0.0\", runtime_targets = [\"Wasm\"] }", `manifest.toml:2:61: module.runtime_targets: has no target that is run here; add "Process"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := manifest.Parse("manifest.toml", []byte(c.src))
			require.EqualError(t, err, c.want)
		})
	}
}

func TestOperatorProblems(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"unknown", `module = { press = { scal = {} } }`, `:1:22: module.press.scal: unknown key; did you mean scale?`},
		{"the author's", "[module.press]\nprovides = { services = [\"a\"] }", `:2:1: module.press.provides: is said by the module's author alone, in manifest.toml; remove it here`},
		{"the author's table", "[module.press.module]\nname = \"x\"", `:1:15: module.press.module: is said by the module's author alone, in manifest.toml; remove it here`},
		{"process", "[module.press]\nprocess.env.A = \"b\"", `:2:1: module.press.process: unknown key; did you mean artifacts.process?`},
		{"rule of a key", "[module.press.scale]\ninstances = 0", `:2:13: module.press.scale.instances: 0 is less than the least value, 1; write 1 or more`},
		{"modules as text", `modules = "/opt"`, `:1:11: modules: "/opt" is a string, type says array of strings; write ["/opt"]`},
		{"empty directory", `modules = ["a", ""]`, `:1:17: modules[1]: is empty; write a directory, "." for the one of this file`},
		{"size", `state.max = "2 gib"`, `:1:13: state.max: "2 gib" is no size; write "2 GiB"`},
		{"secret without place", "[module.press.secrets]\na = {}", `:2:5: module.press.secrets.a: has to name one place; write { env = "NAME" } or { file = "PATH" }`},
		{"secret with two", "[module.press.secrets]\na = { env = \"A\", file = \"b\" }", `:2:5: module.press.secrets.a: has to name one place; write { env = "NAME" } or { file = "PATH" }`},
		{"secret as text", "[module.press.secrets]\na = \"hunter2\"", `:2:5: module.press.secrets.a: the place of the value is asked for, not the value; write { env = "NAME" } or { file = "PATH" }`},
		{"date in config", "[module.press.config]\na = 2020-01-01", `:2:5: module.press.config.a: 2020-01-01 is a date or time, for which there is no type; write "2020-01-01"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := manifest.ParseOperator("supervisor.toml", []byte(c.src))
			require.EqualError(t, err, "supervisor.toml"+c.want)
		})
	}
}
