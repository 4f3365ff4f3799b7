package scaffold

import (
	"fmt"
	"strings"
)

// LanguageError says that there is no template for a language.
type LanguageError struct {
	Given   string
	Nearest Language // the one most likely meant; empty when none comes near
}

// Error names the choices, and the likeliest of them.
func (e *LanguageError) Error() string {
	var names []string
	for _, l := range Languages() {
		names = append(names, string(l))
	}
	text := fmt.Sprintf("%q is no language that a module can be made in; choose one of %s", e.Given, strings.Join(names, ", "))
	if e.Nearest != "" {
		text += fmt.Sprintf(" (did you mean %s?)", e.Nearest)
	}
	return text
}

// NameError says that a module cannot have this name.
type NameError struct {
	Name    string
	Message string // what is wrong with it
	Remedy  string // what to write instead
}

// Error is the message and the remedy.
func (e *NameError) Error() string { return e.Message + "; " + e.Remedy }

// ExistsError says that something is already where the module was to be made. Nothing was written.
type ExistsError struct{ Path string }

// Error names the path and what to do about it.
func (e *ExistsError) Error() string {
	return fmt.Sprintf("%s already exists and is not an empty directory, it was left as it is; choose another name, or move it away first", e.Path)
}

// SourceError says that [Options].Source is no checkout of ixt that a module can be built against.
type SourceError struct {
	Dir string
	Err error
}

// Error names the directory, the reason and the remedy.
func (e *SourceError) Error() string {
	return fmt.Sprintf("%s is not a checkout of ixt: %v; name the directory that holds its go.mod", e.Dir, e.Err)
}

// Unwrap is the reason.
func (e *SourceError) Unwrap() error { return e.Err }
