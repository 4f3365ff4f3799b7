package cli_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/cmd/ixt/internal/cli"
)

const nodesPlace = "the -n that names a node goes before the command, as in `ixt -n box-7 ps`"

func TestMistakes(t *testing.T) {
	socket := filepath.Join(shortDir(t), "admin.sock")
	nobody := "no supervisor running: tried " + socket + "; start one with `ixt run DIR`, or call with --modules DIR\n"
	dir := parrotDir(t)
	for _, c := range []struct {
		line   string
		code   int
		stderr string
	}{
		{"psx", 2, "there is no command \"psx\"; did you mean ps?; see `ixt --help`\n"},
		{"ps now", 2, "\"now\" is one argument too many; see `ixt ps --help`\n"},
		{"call a.b -5", 2, "unknown shorthand flag: '5' in -5; write -- before arguments that begin with -; see `ixt call --help`\n"},
		{"ps --jsn", 2, "unknown flag: --jsn; see `ixt ps --help`\n"},
		{"describe", 2, "MODULE is missing; see `ixt describe --help`\n"},
		{"call", 2, "TOPIC is missing; see `ixt call --help`\n"},
		{"call a.b --priority top", 2, "--priority top is unknown; use low, normal, high or urgent; see `ixt call --help`\n"},
		{"call a.b --timeout 5", 2, "invalid argument \"5\" for \"--timeout\" flag: time: missing unit in duration \"5\"; see `ixt call --help`\n"},
		{"call a.b --timeout -5s", 2, "--timeout -5s is over before it begins; see `ixt call --help`\n"},
		{"call a.b --json --raw", 2, "--json prints the whole answer; leave out --raw and --field; see `ixt call --help`\n"},
		{"call a.b --set m:k=v", 2, "--set has no effect on a running supervisor; add --modules DIR; see `ixt call --help`\n"},
		{"call a.b --modules /nowhere", 2, "module directory /nowhere does not exist; name a directory with modules in it, or a manifest\n"},
		{"call a.b --modules " + dir + " --set parrot", 2, "--set parrot: is not module:key=value; write it as in --set press:restart.give_up=10\n"},
		{"run", 2, "no modules to run: name a directory with modules in it, or list some in supervisor.toml; see `ixt run --help`\n"},
		{"run x --log-format xml", 2, "--log-format xml is unknown; use console or json; see `ixt run --help`\n"},
		{"run --config /nowhere.toml", 2, "/nowhere.toml: does not exist; check the path\n"},
		{"logs -n -1", 2, "-n -1 is no number of lines; write 0 or more; see `ixt logs --help`\n"},
		{"new press", 2, "--lang is missing; write --lang go or --lang python; see `ixt new --help`\n"},
		{"new press --lang pyhton", 2, "\"pyhton\" is no language that a module can be made in; choose one of go, python (did you mean python?); see `ixt new --help`\n"},
		{"validate", 2, "PATH is missing; see `ixt validate --help`\n"},
		{"validate /nowhere", 2, "module directory /nowhere does not exist; name a directory with modules in it, or a manifest\n"},
		{"config parort --modules " + dir, 3, "there is no module parort; did you mean parrot? `ixt ps` lists them\n"},
		{"pub", 2, "TOPIC is missing; see `ixt pub --help`\n"},
		{"sub a.* --json --raw", 2, "--json prints the whole event; leave out --raw; see `ixt sub --help`\n"},
		{"kv get press", 2, "KEY is missing; see `ixt kv get --help`\n"},
		{"kv put press limit 5 --ttl -5s", 2, "--ttl -5s is over before it begins; see `ixt kv put --help`\n"},
		{"kv put press limit 5 --revision -1", 2, "--revision -1 is no revision; write 0 for a key that must not be there; see `ixt kv put --help`\n"},
		{"run " + dir + " --nats http://bus", 2, "\"http://bus\": a NATS server is not reached by http; write nats://host:4222, or tls://, ws:// or wss://\n"},
		{"run " + dir + " --nats=", 2, "--nats is empty; give it a value or leave it out; see `ixt run --help`\n"},
		{"run " + dir + " --nats-listen here", 2, "\"here\" is nowhere to listen: write host:port, such as 127.0.0.1:4222\n"},
		{"ps -n box-1", 2, "unknown shorthand flag: 'n' in -n; " + nodesPlace + "; see `ixt ps --help`\n"},
		{"ps --node box-1", 2, "unknown flag: --node; " + nodesPlace + "; see `ixt ps --help`\n"},
		{"kv watch press -n box-1", 2, "-n box-1 is no number; " + nodesPlace + "; see `ixt kv watch --help`\n"},
		{"logs -n box-1", 2, "-n box-1 is no number; " + nodesPlace + "; see `ixt logs --help`\n"},
		{"sub a*", 2, "topic \"a*\" has the character '*': use letters, digits, _ and - with dots between; * stands for one whole segment, > for the rest; see `ixt sub --help`\n"},
		{"kv put Shared_X k 1 --create", 2, "\"Shared_X\" is no name for a bucket; write lower-case letters, digits, - and _, a letter first, such as \"shared_x\"; see `ixt kv put --help`\n"},
		{"blob put Shared_X k --create", 2, "\"Shared_X\" is no name for a bucket; write lower-case letters, digits, - and _, a letter first, such as \"shared_x\"; see `ixt blob put --help`\n"},
		{"kv put shared_x k 1 --create", 3, nobody},
		{"-n box-1 ps", 3, nobody},
		{"-n box-1 logs", 3, nobody},
		{"-n box-1 journal", 3, nobody},
		{"-n box-1 crash", 3, nobody},
		{"pub a.b", 3, nobody},
		{"kv ls press", 3, nobody},
		{"blob get press a", 3, nobody},
		{"ps", 3, nobody},
		{"call a.b", 3, nobody},
		{"stop parrot", 3, nobody},
		{"logs -f", 3, nobody},
	} {
		t.Run(c.line, func(t *testing.T) {
			got := ixt(t, append(strings.Fields(c.line), "--socket", socket)...)
			require.Equal(t, c.code, got.code, got.stderr)
			require.Empty(t, got.stdout)
			require.Equal(t, c.stderr, got.stderr)
		})
	}
}

// What cannot be done through another node is neither done here nor passed over in silence.
func TestNotThroughAnotherNode(t *testing.T) {
	socket := filepath.Join(shortDir(t), "admin.sock")
	for line, reason := range map[string]string{
		"run .": "run it there", "dev .": "run it there", "new press --lang go": "run it there", "validate .": "run it there",
		"version": "run it there", "completion bash": "run it there",
		"call a.b --modules .": "--modules is about files", "config press --modules .": "--modules is about files",
		"sub a.b": "so leave out -n", "sub a.b -n 1": "so leave out -n", "kv watch press": "so leave out -n",
		"logs -f": "leave out -f", "journal --follow": "leave out -f",
		"blob get press a": "blobs are shared by all nodes", "blob put press a": "blobs are shared by all nodes",
	} {
		t.Run(line, func(t *testing.T) {
			got := ixt(t, append([]string{"--socket", socket, "-n", "box-1"}, strings.Fields(line)...)...)
			require.Equal(t, 2, got.code, got.stderr)
			require.Empty(t, got.stdout)
			require.True(t, strings.HasPrefix(got.stderr, "-n box-1: "), got.stderr)
			require.Contains(t, got.stderr, reason)
		})
	}
}

// TestExamples sees to it that every command has examples and that they can be typed as they stand.
func TestExamples(t *testing.T) {
	root := cli.Commands()
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Runnable() {
			require.NotEmpty(t, cmd.Short, cmd.CommandPath())
			require.NotEmpty(t, cmd.Example, cmd.CommandPath())
		}
		for _, line := range strings.Split(cmd.Example, "\n") {
			if line == "" {
				continue
			}
			found, err := parse(line)
			require.NoError(t, err, line)
			if !cmd.HasSubCommands() {
				require.Equal(t, cmd.CommandPath(), found.CommandPath(), line)
			}
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(root)
}

// parse is what happens to a command line before its command runs.
func parse(line string) (*cobra.Command, error) {
	line, _, _ = strings.Cut(strings.TrimSpace(line), "   ") // a remark
	line, _, _ = strings.Cut(line, " < ")
	line, _, _ = strings.Cut(line, " > ")
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	cmd, args, err := cli.Commands().Traverse(words[1:])
	if err == nil {
		err = cmd.ParseFlags(args)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	return cmd, err
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"help"}, {"call", "--help"}, {"help", "run"}, {"completion", "bash"}} {
		got := ixt(t, args...)
		require.Zero(t, got.code, args)
		require.NotEmpty(t, got.stdout, args)
		require.Empty(t, got.stderr, args)
	}
}

// No text of a flag's help may be taken for the name of its value.
func TestHelpOfFlags(t *testing.T) {
	for _, name := range []string{"logs", "journal", "crash"} {
		require.Regexp(t, `(?m)^ +--state directory   directory to look in when no supervisor runs \(default as for ixt run\)$`, ixt(t, name, "--help").stdout)
	}
}

func TestVersion(t *testing.T) {
	got := ixt(t, "version")
	require.Regexp(t, `^ixt \S+, protocol 1, go\S+ \w+/\w+\n$`, got.stdout)
	require.Contains(t, ixt(t, "version", "--json").stdout, `"protocol": 1`)
}

func TestConfigFromFiles(t *testing.T) {
	got := ixt(t, "config", "parrot", "--modules", parrotDir(t), "--set", "parrot:limit=7.5")
	require.Zero(t, got.code, got.stderr)
	require.Regexp(t, `(?m)^config\.limit +7\.5 +flag --set$`, got.stdout)
	require.Regexp(t, `(?m)^restart\.give_up +5 +default$`, got.stdout)
}

// An override for a module that nobody has is an error wherever the operator's file counts, without --config too.
func TestOperatorsFileThatIsThere(t *testing.T) {
	site(t, map[string]string{"m/manifest.toml": named("slow", ""), "supervisor.toml": "modules = [\"m\"]\n[module.slwo]\n"})
	wrong := result{2, "", "supervisor.toml:2:9: module.slwo: no module has this name; did you mean slow?\n"}
	require.Equal(t, wrong, ixt(t, "config", "slow", "--modules", "m"))
	require.Equal(t, wrong, ixt(t, "run"))
	require.Equal(t, wrong, ixt(t, "run", "m"))
	write(t, "supervisor.toml", "[module.slow]\nscale = { instances = 2 }\n")
	require.Regexp(t, `(?m)^scale\.instances +2 +supervisor\.toml:2$`, ixt(t, "config", "slow", "--modules", "m").stdout)
}

// Who asks a running supervisor is not kept from it by an operator's file that is wrong, but is told once.
func TestOperatorsFileThatIsWrong(t *testing.T) {
	state := crashed(t, panicked())
	site(t, map[string]string{"supervisor.toml": "moduls = 5\n"})
	socket := filepath.Join(state, "admin.sock")
	wrong := "supervisor.toml:1:1: moduls: unknown key; did you mean modules?\n"
	passedOver := "supervisor.toml is passed over, because it is wrong:\n" + wrong
	got := ixt(t, "ps", "--socket", socket)
	require.Equal(t, 3, got.code)
	require.True(t, strings.HasPrefix(got.stderr, passedOver+"no supervisor running: tried "+socket), got.stderr)
	got = ixt(t, "crash", "--socket", socket, "--state", state)
	require.Zero(t, got.code)
	require.Equal(t, passedOver+keptNote(state), got.stderr)
	require.Equal(t, result{2, "", wrong}, ixt(t, "ps", "--config", "supervisor.toml"))
	require.Equal(t, result{2, "", wrong}, ixt(t, "run"))
}

func TestCompletionFromFiles(t *testing.T) {
	site(t, map[string]string{"m/a/manifest.toml": named("press", "provides.services = [\"press.check\", \"press.tune\"]"), "m/b/manifest.toml": "broken"})
	require.Equal(t, "press.check\npress.tune\n:4\n", ixt(t, "__complete", "call", "--modules", "m", "").stdout)
	require.Equal(t, "press\n:4\n", ixt(t, "__complete", "config", "--modules", "m", "").stdout)
	require.Equal(t, ":4\n", ixt(t, "__complete", "config", "--modules", "m", "press", "").stdout)
}

func TestNew(t *testing.T) {
	dir := shortDir(t)
	got := ixt(t, "new", filepath.Join(dir, "press"), "--lang", "python")
	require.Zero(t, got.code, got.stderr)
	require.Contains(t, got.stdout, filepath.Join(dir, "press", "press.py")+"\n")
	require.Contains(t, got.stdout, "next:\n  ixt run ")
	require.Zero(t, ixt(t, "validate", dir).code)
}
