package manifest

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/ixtrun/ixt/manifest/internal/document"
)

// VerifyDigests compares the module's files with the digests of its manifest. The error is [Problems], one for each file
// that is missing or has another content.
func (m *Module) VerifyDigests() error {
	var problems Problems
	for _, file := range slices.Sorted(maps.Keys(m.Process.Digests)) {
		want := m.Process.Digests[file]
		have, err := digest(filepath.Join(m.Dir, file))
		message, remedy := "", "restore the file, or write the new digest if the change is meant"
		switch {
		case err != nil:
			message, remedy = err.Error(), "restore the file"
		case have != want:
			message = fmt.Sprintf("the file has %s, the manifest says %s", have, want)
		default:
			continue
		}
		at := m.origins.of(document.Join("artifacts.process.digests", file))
		problems = append(problems, Problem{File: at.file, Line: at.pos.Line, Column: at.pos.Column, Key: at.key, Message: message, Remedy: remedy, cause: err})
	}
	return problems.Err()
}

func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), nil
}
