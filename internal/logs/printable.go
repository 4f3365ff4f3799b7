package logs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// sequences are what programs write to colour and drive a terminal: CSI, then OSC and other strings with their end, then short ones.
var sequences = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-OQ-WYZ\\` + "`" + `-~]`)

// printable is the text without terminal sequences and with every other character that could garble a terminal escaped as in
// Go, such as \x00. Tabs and newlines stay.
func printable(text string) string {
	if strings.IndexFunc(text, garbles) < 0 {
		return text
	}
	return escape(sequences.ReplaceAllString(text, ""), garbles, goEscape)
}

// garbles reports control characters, and those that reverse the direction of the text after them.
func garbles(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return unicode.IsControl(r)
}

// escape replaces the characters that are hostile.
func escape(text string, hostile func(rune) bool, with func(rune) string) string {
	if strings.IndexFunc(text, hostile) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hostile(r) {
			b.WriteString(with(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func goEscape(r rune) string {
	quoted := strconv.QuoteRune(r)
	return quoted[1 : len(quoted)-1]
}

func jsonEscape(r rune) string { return fmt.Sprintf(`\u%04x`, r) }
