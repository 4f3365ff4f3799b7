package scaffold

import (
	"slices"
	"strings"

	"github.com/ixtrun/ixt/manifest"
)

// Language is what a new module is written in.
type Language string

// The languages there is a template for.
const (
	Go     Language = "go"
	Python Language = "python"
)

// Languages are all languages, in the order in which they are offered.
func Languages() []Language { return []Language{Go, Python} }

// ParseLanguage reads a language as a user types it. The error is a [*LanguageError].
func ParseLanguage(s string) (Language, error) {
	if slices.Contains(Languages(), Language(s)) {
		return Language(s), nil
	}
	return "", &LanguageError{Given: s, Nearest: nearest(s)}
}

// nearest is the language that was most likely meant, also by a short or long form such as py or golang; "" for none.
func nearest(s string) Language {
	s = strings.ToLower(s)
	var names []string
	for _, l := range Languages() {
		if s != "" && (strings.HasPrefix(string(l), s) || strings.HasPrefix(s, string(l))) {
			return l
		}
		names = append(names, string(l))
	}
	return Language(manifest.Nearest(s, names))
}
