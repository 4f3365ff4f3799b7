package moduletest

import (
	"regexp"
	"strings"

	"github.com/ixtrun/ixt/ipc"
)

// What topics, keys and patterns of them are made of: docs/host-services.md.
var (
	topicForm    = regexp.MustCompile(`^[-_A-Za-z0-9]+(\.[-_A-Za-z0-9]+)*$`)
	keyForm      = regexp.MustCompile(`^[-_/=A-Za-z0-9]+(\.[-_/=A-Za-z0-9]+)*$`)
	topicPattern = regexp.MustCompile(`^(([-_A-Za-z0-9]+|\*)(\.|$))*>?$`)
	keyPattern   = regexp.MustCompile(`^(([-_/=A-Za-z0-9]+|\*)(\.|$))*>?$`)
)

const maxName = 512 // bytes of a key, a blob's name or a pattern

// check is INVALID_INPUT unless name has the form; what says what it is.
func check(form *regexp.Regexp, what, name string) error {
	if name == "" || len(name) > maxName || strings.HasSuffix(name, ".") || !form.MatchString(name) {
		return ipc.Refuse(ipc.CodeInvalidInput, "%q cannot be a %s", name, what)
	}
	return nil
}

// matches reports whether name is one that pattern stands for; "" stands for all.
func matches(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	want, got := strings.Split(pattern, "."), strings.Split(name, ".")
	for i, segment := range want {
		switch {
		case segment == ">":
			return len(got) > i
		case i >= len(got), segment != "*" && segment != got[i]:
			return false
		}
	}
	return len(want) == len(got)
}
