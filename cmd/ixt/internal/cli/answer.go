package cli

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ixtrun/ixt/ipc"
)

// answerFormat is how an answer's data is printed.
type answerFormat struct {
	json  bool
	raw   bool
	field string
}

func (f answerFormat) print(out io.Writer, data json.RawMessage) error {
	text := []byte(data)
	switch {
	case f.field != "":
		member, err := pick(data, f.field)
		if err != nil {
			return fmt.Errorf("the call is done, but %w", err)
		}
		text = member
	case !f.json:
		if payload, ok := ipc.ObjectData(data).Payload(); ok {
			text = payload
		}
	}
	return writeText(out, text, f.raw)
}

// writeText writes bytes as they are if raw, else with a newline at their end.
func writeText(out io.Writer, text []byte, raw bool) error {
	if !raw && (len(text) == 0 || text[len(text)-1] != '\n') {
		text = append(text, '\n')
	}
	_, err := out.Write(text)
	return err
}

// pick returns one member of an object: a string's text, and the JSON of anything else. The member "payload" is base64 by
// convention and is decoded; any other string only if text comes out, because many a word is base64 by chance.
func pick(data json.RawMessage, field string) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, fmt.Errorf("the answer is no JSON object: %w", err)
	}
	value, ok := members[field]
	if !ok {
		names := slices.Sorted(maps.Keys(members))
		return nil, fmt.Errorf("the answer has no member %q; it has %s", field, cmp.Or(strings.Join(names, ", "), "none"))
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return value, nil
	}
	if decoded, err := base64.StdEncoding.DecodeString(text); err == nil && (field == "payload" || readable(decoded)) {
		return decoded, nil
	}
	return []byte(text), nil
}

func readable(b []byte) bool {
	return utf8.Valid(b) && !strings.ContainsFunc(string(b), func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) })
}
