package manifest

import (
	"errors"
	"fmt"
	"strings"
)

const maxTopic = 255 // bytes

// Match reports whether topic fits pattern: segment by segment, where `*` stands for any one segment and `>`, as the
// last segment, for one or more.
func Match(pattern, topic string) bool {
	for {
		want, morePattern, moreWanted := strings.Cut(pattern, ".")
		have, moreTopic, moreHad := strings.Cut(topic, ".")
		switch {
		case have == "":
			return false
		case want == ">" && !moreWanted:
			return true
		case want != "*" && want != have:
			return false
		case !moreWanted || !moreHad:
			return moreWanted == moreHad
		}
		pattern, topic = morePattern, moreTopic
	}
}

// CheckTopic is an error that says what is wrong with a topic, or with a pattern where wildcards are allowed, and what can be.
func CheckTopic(topic string, wildcards bool) error {
	message, remedy := checkTopic(topic, wildcards)
	if message == "" {
		return nil
	}
	return errors.New(message + ": " + remedy)
}

// checkTopic says what is wrong with a topic, or with a pattern where wildcards are allowed.
func checkTopic(topic string, wildcards bool) (message, remedy string) {
	if len(topic) > maxTopic {
		return fmt.Sprintf("%.20q... has %d bytes, a topic has at most %d", topic, len(topic), maxTopic), "shorten it"
	}
	segments := strings.Split(topic, ".")
	for i, s := range segments {
		switch {
		case s == "":
			return fmt.Sprintf("topic %q has an empty segment", topic), `write names joined by single dots, such as "press.check"`
		case s == "*" || s == ">":
			if !wildcards {
				return fmt.Sprintf("topic %q has a wildcard", topic), "name every topic; wildcards belong in [requires]"
			}
			if s == ">" && i < len(segments)-1 {
				return fmt.Sprintf("topic %q has > before its end", topic), "write > as the last segment, or * for one segment"
			}
		default:
			if bad := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(letters+digits+"_-", r) }); bad >= 0 {
				return fmt.Sprintf("topic %q has the character %q", topic, []rune(s[bad:])[0]), "use letters, digits, _ and - with dots between"
			}
		}
	}
	return "", ""
}

const (
	digits  = "0123456789"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	letters = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
