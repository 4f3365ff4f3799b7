package host

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// maxName is how many bytes a key, a pattern of keys or a blob's name has at most.
const maxName = 512

// maxBucket is how many bytes the name of a bucket has at most. Names in manifests are shorter.
const maxBucket = 64

// checkKey says what is wrong with a key or a blob's name, which is what it is called in the error.
func checkKey(what, key string) error {
	if strings.ContainsAny(key, "*>") {
		return ipc.Refuse(ipc.CodeInvalidInput, "%s %.80q has a wildcard; name one %s, wildcards belong in a pattern", what, key, what)
	}
	return checkPattern(what, key)
}

// checkPattern is checkKey for what may have wildcards.
func checkPattern(what, pattern string) error {
	invalid := func(format string, args ...any) error {
		return ipc.Refuse(ipc.CodeInvalidInput, "%s %.80q %s", what, pattern, fmt.Sprintf(format, args...))
	}
	if len(pattern) == 0 || len(pattern) > maxName {
		return invalid("has %d bytes; it can have 1 to %d", len(pattern), maxName)
	}
	segments := strings.Split(pattern, ".")
	for i, s := range segments {
		switch {
		case s == "":
			return invalid(`has an empty segment; write segments joined by single dots, such as "line.7"`)
		case s == ">" && i < len(segments)-1:
			return invalid("has > before its end; write > as the last segment, or * for one segment")
		case s == "*", s == ">":
		default:
			if bad := strings.IndexFunc(s, notInKey); bad >= 0 {
				return invalid("has the character %q; use letters, digits, _, -, /, = and dots between segments", []rune(s[bad:])[0])
			}
		}
	}
	return nil
}

func notInKey(r rune) bool { return notInBucket(r) && r != '/' && r != '=' }

func notInBucket(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// bucketFor returns the bucket that a caller means by name, if it may use it: its own, or one of those that key in its [requires] lists.
func bucketFor(caller supervisor.Caller, name, key string, listed []string) (string, error) {
	own := caller.Module.Name
	if name == "" || name == own {
		return own, nil
	}
	if len(name) > maxBucket || strings.ContainsFunc(name, notInBucket) {
		return "", ipc.Refuse(ipc.CodeInvalidInput, "bucket %.80q cannot be; its name is 1 to %d letters, digits, _ and -", name, maxBucket)
	}
	what := "use the bucket " + name
	return name, caller.Deny(slices.Contains(listed, name), what, "requires", key, listed, name)
}
