package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// documented are the commands of the first console block of a document, each with what it prints.
func documented(t *testing.T, doc string) (commands []documentedCommand) {
	text, err := os.ReadFile(filepath.Join("..", "docs", doc))
	require.NoError(t, err)
	_, block, found := strings.Cut(string(text), "```console\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "```")
	for line := range strings.Lines(block) {
		if command, is := strings.CutPrefix(line, "$ "); is {
			commands = append(commands, documentedCommand{line: strings.TrimSpace(command)})
			continue
		}
		commands[len(commands)-1].prints += line
	}
	return commands
}

type documentedCommand struct{ line, prints string }

// sh runs a line as a person types it, with the ixt that is tested.
func (s *shell) sh(line string) result {
	s.t.Helper()
	cmd := exec.CommandContext(s.ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env = s.dir, append([]string{"PATH=" + filepath.Dir(s.binary) + ":" + os.Getenv("PATH")}, s.env[1:]...)
	cmd.WaitDelay = patience
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return result{exitCode(s.t, err), stdout.String(), stderr.String()}
}

// asks reports whether a command only asks for what becomes so by itself, when an event has been handled: it may come too early.
func asks(line string) bool {
	return strings.Contains(line, " get ") || strings.Contains(line, "historian.average")
}

// buildLine builds what is in Go, which takes its time on a machine that never did it.
func buildLine(t *testing.T, lines string) {
	for _, name := range []string{"gauge", "press"} {
		build := exec.Command("go", "build", "-o", "bin/"+name, ".")
		build.Dir = filepath.Join(lines, name)
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// The example of three modules does with every service what the document shows.
func TestHostServicesAsDocumented(t *testing.T) {
	lines, err := filepath.Abs(filepath.Join("..", "examples", "line"))
	require.NoError(t, err)
	buildLine(t, lines)
	s := newShell(t)
	r := s.begin("run", lines)
	r.await("admin socket ")
	for _, name := range []string{"gauge", "historian", "press"} {
		s.awaitReady(name)
	}
	for _, c := range documented(t, "host-services.md") {
		got := s.sh(c.line)
		for asks(c.line) && got.stdout != c.prints && s.ctx.Err() == nil {
			got = s.sh(c.line)
		}
		require.Equal(t, result{0, c.prints, ""}, got, c.line)
	}
	r.interrupt()
}

// Two nodes do what their document shows. The first takes a free port, the second a socket of its own.
func TestClusterAsDocumented(t *testing.T) {
	examples, err := filepath.Abs(filepath.Join("..", "examples"))
	require.NoError(t, err)
	buildLine(t, filepath.Join(examples, "line"))
	s := newShell(t)
	one := s.begin("run", filepath.Join(examples, "line"), "--node", "box-1", "--nats-listen", "127.0.0.1:0")
	heard := one.await("listens at ")
	address := heard[strings.Index(heard, "127.0.0.1:"):]
	for _, name := range []string{"gauge", "historian", "press"} {
		s.awaitReady(name)
	}
	socket := s.path("box-2.sock")
	two := s.begin("run", filepath.Join(examples, "greet"), "--node", "box-2", "--nats", "nats://"+strings.Fields(address)[0],
		"--state", s.path("box-2"), "--socket", socket)
	two.await("node box-1 is there")
	var setting string
	for i, c := range documented(t, "cluster.md") {
		if i == 0 {
			setting = strings.Replace(c.line, "/tmp/box-2.sock", socket, 1)
			continue
		}
		got := s.sh(setting + "; " + c.line)
		for got.code == 3 && s.ctx.Err() == nil { // what the other node offers comes with its next heartbeat
			got = s.sh(setting + "; " + c.line)
		}
		require.Equal(t, result{0, c.prints, ""}, got, c.line)
	}
	require.Regexp(t, `(?m)^greet\.hello +1 .* greet$(.|\n)*^press\.check( +-){9} +press:1\.0\.0@box-1$`, s.sh(setting+"; ixt topics").stdout)
	one.await("node box-2 is there") // who left before that is not remembered
	two.interrupt()
	require.Eventually(t, func() bool {
		return regexp.MustCompile(`(?m)^box-2( +-){8} +stopped, last seen \d+s ago$`).MatchString(s.ixt("ps", "--all").stdout)
	}, patience, 10*time.Millisecond)
	one.interrupt()
}
