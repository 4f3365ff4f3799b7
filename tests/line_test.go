package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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

// The example of three modules does with every service what the document shows.
func TestHostServicesAsDocumented(t *testing.T) {
	lines, err := filepath.Abs(filepath.Join("..", "examples", "line"))
	require.NoError(t, err)
	for _, name := range []string{"gauge", "press"} { // which takes its time on a machine that never did it
		build := exec.Command("go", "build", "-o", "bin/"+name, ".")
		build.Dir = filepath.Join(lines, name)
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
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
