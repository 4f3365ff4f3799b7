package tests

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// requireNothingLeft looks for what a supervisor that has stopped must not leave behind; files and goroutines are what this
// process had before.
func (c *campaign) requireNothingLeft(files int, goroutines goleak.Option) {
	for what, left := range map[string]func() []string{
		"processes":        func() []string { return processesOf(c.ledger) }, // those of a group are dying when its leader is reaped
		"sockets":          func() []string { return residue(c.runtime) },
		"temporary files":  func() []string { return residue(c.temp) },
		"file descriptors": func() []string { return make([]string, max(openFiles()-files, 0)) },
		"goroutines":       func() []string { return goroutinesBeside(goroutines) },
	} {
		eventually(func() bool { return len(left()) == 0 })
		require.Empty(c.t, left(), "with seed %d %s are left", c.seed, what)
	}
}

// eventually polls until something holds or patience is over, and returns whether it holds.
func eventually(holds func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); pause(context.Background(), 10*time.Millisecond) {
		if holds() {
			return true
		}
	}
	return holds()
}

// processesOf lists the living processes that have the mark in their environment, whoever their parents are; none where the
// system does not tell.
func processesOf(mark string) (pids []string) {
	environs, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is well-formed
	for _, path := range environs {
		if environ, err := os.ReadFile(path); err == nil && bytes.Contains(environ, []byte(mark)) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

func goroutinesBeside(known goleak.Option) []string {
	if err := goleak.Find(known); err != nil {
		return []string{err.Error()}
	}
	return nil
}

// residue lists the files below dir, but for the locks that supervisors share.
func residue(dir string) (paths []string) {
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() != "lock" {
			paths = append(paths, path)
		}
		return nil
	})
	return paths
}
