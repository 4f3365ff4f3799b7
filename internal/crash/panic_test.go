package crash_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/ixtrun/ixt/internal/crash"
	"github.com/ixtrun/ixt/internal/logs"
)

var update = flag.Bool("update", false, "rewrite testdata/panics with what PanicText really finds")

// said is what a program wrote to stderr, as the supervisor keeps it.
func said(t *testing.T, stderr string) (lines []logs.Entry) {
	source := logs.Source{Module: "press", Instance: 1, Stream: logs.Stderr}
	require.NoError(t, logs.Read(strings.NewReader(stderr), source, time.Now, func(e logs.Entry) { lines = append(lines, e) }))
	return lines
}

// TestPanicText finds in what real programs wrote to stderr the words about their end.
func TestPanicText(t *testing.T) {
	files, err := filepath.Glob("testdata/panics/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			require.NoError(t, err)
			require.NotEmpty(t, archive.Comment, "says what it shows")
			require.Len(t, archive.Files, 2)
			stderr, panicked := &archive.Files[0], &archive.Files[1]
			got := crash.PanicText(said(t, string(stderr.Data)))
			if *update {
				panicked.Data = []byte(got)
				require.NoError(t, os.WriteFile(path, txtar.Format(archive), 0o644))
			}
			require.Equal(t, strings.TrimSuffix(string(panicked.Data), "\n"), got)
		})
	}
}

func TestPanicTextIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("panic: first\n\ngoroutine 1 [running]:\n")
	for n := range 1000 {
		fmt.Fprintf(&b, "main.f%d()\n\t/src/press/main.go:%d\n", n, n)
	}
	b.WriteString("exit status 2\n")
	got := crash.PanicText(said(t, b.String()))
	require.LessOrEqual(t, len(got), 8<<10)
	require.Greater(t, len(got), 7<<10)
	require.True(t, strings.HasPrefix(got, "panic: first\ngoroutine 1 [running]:\nmain.f0()\n"), got)
	require.Contains(t, got, "\n...\n")
	require.True(t, strings.HasSuffix(got, "\nmain.f999()\n\t/src/press/main.go:999\nexit status 2"), got)

	got = crash.PanicText(said(t, "panic: "+strings.Repeat("ü", 10<<10)))
	require.LessOrEqual(t, len(got), 8<<10)
	require.NotContains(t, got, "\ufffd", "no half characters")
}

// The log may begin anywhere: what is cut off must not be made up.
func TestPanicTextOfAnyPartOfALog(t *testing.T) {
	files, err := filepath.Glob("testdata/panics/*.txtar")
	require.NoError(t, err)
	for _, path := range files {
		archive, err := txtar.ParseFile(path)
		require.NoError(t, err)
		lines := said(t, string(archive.Files[0].Data))
		for from := range lines {
			for to := from; to <= len(lines); to++ {
				got := crash.PanicText(lines[from:to])
				require.True(t, got == "" || strings.Contains(plainText(lines), got), "%s: %q", path, got)
			}
		}
	}
}

func plainText(lines []logs.Entry) string {
	var b strings.Builder
	for _, e := range lines {
		if e.Fields == nil {
			b.WriteString(e.Message + "\n")
		}
	}
	return b.String()
}

func TestStdoutIsNoPanic(t *testing.T) {
	lines := said(t, "panic: boom\n")
	lines[0].Stream = logs.Stdout
	require.Empty(t, crash.PanicText(lines))
	require.Empty(t, crash.PanicText(nil))
}
