package tests

import (
	"os"
	"os/user"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The errors that people meet in their first hours, word for word: each says what is wrong and what to do about it.
func TestNewcomersErrors(t *testing.T) {
	for name, tt := range newcomers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			if tt.prepare != nil {
				tt.prepare(s)
			}
			got := s.ixt(strings.Fields(tt.command)...)
			require.Equal(t, tt.want, s.anywhere(got.stderr))
			require.Equal(t, tt.code, got.code)
			require.Empty(t, got.stdout)
		})
	}
}

var newcomers = map[string]struct {
	prepare func(*shell)
	command string
	code    int
	want    string
}{
	"no supervisor running": {
		command: "ps",
		code:    3,
		want:    nobody,
	},
	"no supervisor running for a call": {
		command: "call echo.say hello",
		code:    3,
		want:    nobody,
	},
	"socket for another user alone": {
		prepare: func(s *shell) {
			s.run()
			s.shutOut(0)
		},
		command: "call echo.say",
		code:    3,
		want: "no permission to use the supervisor's socket DIR/run/ixt/admin.sock: DIR/run/ixt is for user ME alone; " +
			"run ixt as that user, or let a group in with [admin] group in supervisor.toml\n",
	},
	"socket for a group": {
		prepare: func(s *shell) {
			group, err := user.LookupGroupId(strconv.Itoa(os.Getgid()))
			require.NoError(s.t, err)
			writeFile(s.t, s.path("supervisor.toml"), "[admin]\ngroup = \""+group.Name+"\"\n")
			s.run()
			s.shutOut(0o060)
		},
		command: "ps",
		code:    3,
		want: "no permission to use the supervisor's socket DIR/run/ixt/admin.sock: DIR/run/ixt is for user ME and group MINE; " +
			"ask to be put into that group (`sudo usermod -aG MINE NAME`), and log in again\n",
	},
	"never connected": {
		prepare: func(s *shell) {
			s.script("press", "echo binding >&2\necho listening on port 80 >&2\nexec sleep 1000\n", "[start]\ntimeout = \"1s\"\n"+offer)
		},
		command: "call --modules modules press.check",
		code:    3,
		want: gaveUp + "ran for TIME, but not until it connected: listening on port 80 " +
			"(not an ixt module? set protocol = \"none\" under [artifacts.process])" + nextTry,
	},
	"ended without connecting": {
		prepare: func(s *shell) { s.script("press", "echo nothing to do >&2\n", offer) },
		command: "call --modules modules press.check",
		code:    3,
		want: gaveUp + "exit 0 before it connected: nothing to do " +
			"(not an ixt module? set protocol = \"none\" under [artifacts.process])" + nextTry,
	},
	"crashed at its start": {
		prepare: func(s *shell) {
			s.script("press", "echo \"ModuleNotFoundError: No module named 'numpy'\" >&2\nexit 1\n", offer)
		},
		command: "call --modules modules press.check",
		code:    3,
		want:    gaveUp + "exit 1 before it connected: ModuleNotFoundError: No module named 'numpy'" + nextTry,
	},
	"interpreter missing": {
		prepare: func(s *shell) {
			s.program("press", "interpreter = \"pyhton3\"\nentry = \"manifest.toml\"\n"+offer)
		},
		command: "call --modules modules press.check",
		code:    3,
		want: gaveUp + "press: interpreter \"pyhton3\" is not in PATH; " +
			"install it, or write its path as interpreter in DIR/modules/press/manifest.toml" + nextTry,
	},
	"virtual environment missing": {
		prepare: func(s *shell) {
			s.program("press", "interpreter = \".venv/bin/python\"\nentry = \"manifest.toml\"\n"+offer)
		},
		command: "call --modules modules press.check",
		code:    3,
		want: gaveUp + "press: interpreter DIR/modules/press/.venv/bin/python does not exist; " +
			"make it: python3 -m venv DIR/modules/press/.venv" + nextTry,
	},
	"interpreter of a script missing": {
		prepare: func(s *shell) { s.executable("#!/opt/python2/bin/python\n", 0o755) },
		command: "call --modules modules press.check",
		code:    3,
		want: gaveUp + "cannot start DIR/modules/press/program: its first line names the interpreter /opt/python2/bin/python, " +
			"which does not exist; install it or correct the line" + nextTry,
	},
	"wrong architecture": {
		prepare: func(s *shell) { s.executable(foreignELF(), 0o755) },
		command: "call --modules modules press.check",
		code:    3,
		want:    gaveUp + "cannot start DIR/modules/press/program: it is an ELF program for s390x; build it for OS/ARCH" + nextTry,
	},
	"no exec bit": {
		prepare: func(s *shell) { s.executable("#!/bin/sh\n", 0o644) },
		command: "call --modules modules press.check",
		code:    3,
		want:    gaveUp + "press: DIR/modules/press/program is not executable; chmod +x DIR/modules/press/program" + nextTry,
	},
	"program missing": {
		prepare: func(s *shell) { s.program("press", "path = \"./press\"\n"+offer) },
		command: "call --modules modules press.check",
		code:    3,
		want: gaveUp + "press: DIR/modules/press/press does not exist; " +
			"put it there, or correct [artifacts.process] in DIR/modules/press/manifest.toml" + nextTry,
	},
	"no entry point": {
		prepare: func(s *shell) { s.modules.write("press", strings.ReplaceAll(seedManifest, "my-module", "press")+once) },
		command: "call --modules modules my.service.query",
		code:    3,
		want: gaveUp + `press: no program: none is named in DIR/modules/press/manifest.toml, and none of press, press.py, main.py is beside it; paste one of these into the manifest:

[artifacts.process]
path = "./press"

[artifacts.process]
interpreter = "python3"
entry = "press.py"
` + nextTry,
	},
	"unknown topic": {
		prepare: (*shell).addEcho,
		command: "call --modules modules echo.sya hello",
		code:    3,
		want:    "NO_PROVIDER: no module provides echo.sya; did you mean echo.say? `ixt topics` lists what there is" + notDelivered,
	},
	"module in backoff": {
		prepare: func(s *shell) {
			s.script("press", "echo \"ModuleNotFoundError: No module named 'numpy'\" >&2\nexit 1\n",
				"[provides]\nservices = [\"press.check\"]\n[restart]\ninitial = \"10m\"\nmax = \"10m\"\n")
			s.run().await("press/001 backoff")
		},
		command: "call press.check",
		code:    3,
		want: "UNAVAILABLE: press is in backoff: exit 1 before it connected: ModuleNotFoundError: No module named 'numpy': " +
			"1st failed start; gives up after 5 in 5m; next attempt in TIME; `ixt start press` tries now" + notDelivered,
	},
	"second supervisor on the same state directory": {
		prepare: func(s *shell) { s.run() },
		command: "run modules --socket run/other.sock",
		code:    1,
		want:    "state directory DIR/state/ixt is in use by the supervisor with pid PID; stop it (kill PID) or give this one its own with --state DIR\n",
	},
	"second supervisor on the same socket": {
		prepare: func(s *shell) { s.run() },
		command: "run modules --state state/other",
		code:    1,
		want:    "a supervisor already answers at DIR/run/ixt/admin.sock; stop it, or give this one another socket with --socket\n",
	},
	"call not allowed": {
		prepare: func(s *shell) {
			s.addEcho()
			s.modules.add("press", "polite", []string{"press.forward"}, "[requires]\nservices = [\"historian.*\"]\n")
			s.run()
			s.awaitReady("press")
		},
		command: "call press.forward echo.say",
		code:    1,
		want: "DENIED: " + denied + "\n" +
			`details: {"cause":{"code":"DENIED","message":"` + strings.ReplaceAll(denied, `"`, `\"`) + `","outcome":"not_delivered","origin":"supervisor"}}` +
			"\norigin: press:1.0.0/instance-001, outcome: done\n",
	},
	"bad manifest validated": {
		prepare: func(s *shell) { s.modules.write("press", badManifest) },
		command: "validate modules",
		code:    2,
		want:    badManifestProblems,
	},
	"bad manifest run": {
		prepare: func(s *shell) { s.modules.write("press", badManifest) },
		command: "run modules",
		code:    2,
		want:    badManifestProblems,
	},
	"bad manifest called": {
		prepare: func(s *shell) { s.modules.write("press", badManifest) },
		command: "call --modules modules press.check",
		code:    2,
		want:    badManifestProblems,
	},
	"directory missing": {
		command: "run moduls",
		code:    2,
		want:    "module directory moduls does not exist; name a directory with modules in it, or a manifest\n",
	},
	"nothing to run": {
		command: "run",
		code:    2,
		want:    "no modules to run: name a directory with modules in it, or list some in supervisor.toml; see `ixt run --help`\n",
	},
	"unknown command": {
		command: "restrat echo",
		code:    2,
		want:    "there is no command \"restrat\"; did you mean restart?; see `ixt --help`\n",
	},
	"unknown flag": {
		command: "call --module examples echo.say",
		code:    2,
		want:    "unknown flag: --module; see `ixt call --help`\n",
	},
	"argument missing": {
		command: "restart",
		code:    2,
		want:    "MODULE is missing; see `ixt restart --help`\n",
	},
	"unknown module": {
		prepare: func(s *shell) {
			s.addEcho()
			s.run()
		},
		command: "restart ehco",
		code:    3,
		want:    "there is no module ehco; did you mean echo? `ixt ps` lists them\n",
	},
	"module that does not come back": {
		prepare: func(s *shell) {
			s.script("press", "echo no licence >&2\nexit 1\n", offer)
			s.run().await("press/001 failed")
		},
		command: "restart press",
		code:    3,
		want:    "press:1.0.0/instance-001 did not come back: gave up after 1st failed start: exit 1 before it connected: no licence\n",
	},
}

const (
	nobody = "no supervisor running: tried DIR/run/ixt/admin.sock, /run/ixt/admin.sock, /tmp/ixt-UID/admin.sock; " +
		"start one with `ixt run DIR`, or call with --modules DIR\n"
	gaveUp       = "UNAVAILABLE: press has failed: gave up after 1st failed start: "
	notDelivered = "\norigin: supervisor, outcome: not_delivered\n"
	nextTry      = "; next attempt in TIME" + notDelivered
	denied       = `press may not call echo.say; put this under [requires] in DIR/modules/press/manifest.toml: ` +
		`services = ["historian.*", "echo.say"]  (for experiments: ixt run --open)`
)

// once makes a module that fails to start fail for good at its first attempt, so that its caller need not wait for more.
const once = "[restart]\ngive_up = 1\n"

// offer is the rest of a manifest whose program fails to start.
const offer = "[provides]\nservices = [\"press.check\"]\n" + once

// badManifest has mistakes of every kind.
const badManifest = `schema_version = "3.0"
[module]
name = "Press"
version = "1"
[artifacts.process]
path = "./press"
entry = "press.py"
[provides]
service = ["press.check"]
[restart]
initial = 5
[config]
port = { type = "integer", default = "80" }
`

const badManifestProblems = `modules/press/manifest.toml:3:8: module.name: "Press" is no name for a module; write lower-case letters, digits, - and _, a letter first, such as "press"
modules/press/manifest.toml:4:11: module.version: "1" is no version; write major.minor.patch, such as "1.0.0"
modules/press/manifest.toml:6:8: artifacts.process.path: path and interpreter exclude each other; keep path and args, or interpreter, entry and args
modules/press/manifest.toml:9:1: provides.service: unknown key; did you mean services?
modules/press/manifest.toml:11:11: restart.initial: 5 is an integer, type says duration; write "5s"
modules/press/manifest.toml:13:38: config.port: default "80" is a string, type says integer; write 80
`

// executable makes press a module whose program is a file with this content.
func (s *shell) executable(content string, mode os.FileMode) {
	s.program("press", "path = \"./program\"\n"+offer)
	path := s.path("modules", "press", "program")
	writeFile(s.t, path, content)
	require.NoError(s.t, os.Chmod(path, mode))
}

// foreignELF is the head of a program for IBM Z, as far as a system looks at it before it says no.
func foreignELF() string {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x02\x01") // 64 bits, big endian
	copy(head[16:], "\x00\x02\x00\x16\x00\x00\x00\x01")
	copy(head[52:], "\x00\x40\x00\x38\x00\x00\x00\x40")
	return string(head)
}

// shutOut makes the next commands those of somebody who has no permission for the admin socket. Root has every permission, so
// it becomes somebody else; anybody else takes it from the socket, where what is left says whom it is for.
func (s *shell) shutOut(left os.FileMode) {
	if os.Getuid() == 0 {
		s.as = &syscall.Credential{Uid: 65534, Gid: 65534}
		return
	}
	require.NoError(s.t, os.Chmod(s.path("run", "ixt", "admin.sock"), left))
}

var (
	aPID  = regexp.MustCompile(`\b(pid|kill) \d+\b`)
	aTime = regexp.MustCompile(`\b(next attempt in|start in|ran for) \d[0-9hms.]*`)
)

// anywhere puts names in place of what differs from run to run and from machine to machine.
func (s *shell) anywhere(text string) string {
	me, err := user.Current()
	require.NoError(s.t, err)
	group, err := user.LookupGroupId(me.Gid)
	require.NoError(s.t, err)
	text = strings.NewReplacer(s.dir, "DIR", "/tmp/ixt-65534/", "/tmp/ixt-UID/", "/tmp/ixt-"+me.Uid+"/", "/tmp/ixt-UID/",
		"user "+me.Username+" ", "user ME ", "group "+group.Name+";", "group MINE;", "-aG "+group.Name+" ", "-aG MINE ",
		runtime.GOOS+"/"+runtime.GOARCH, "OS/ARCH").Replace(text)
	return aTime.ReplaceAllString(aPID.ReplaceAllString(text, "$1 PID"), "$1 TIME")
}
