package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ixtrun/ixt/manifest/internal/document"
)

// literal is a value as TOML writes it.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".eIN") {
			s += ".0"
		}
		return s
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = literal(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		if len(v) == 0 {
			return "{}"
		}
		var keys []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			keys = append(keys, document.Join("", name)+" = "+literal(v[name]))
		}
		return "{ " + strings.Join(keys, ", ") + " }"
	default:
		return fmt.Sprint(v)
	}
}

// brief is a literal cut to what fits into a message.
func brief(v any) string {
	const most = 40
	text := []rune(literal(v))
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + "..."
}

// typeOf is the name of a value's type.
func typeOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case int64:
		return "integer"
	case float64:
		return "float"
	case bool:
		return "boolean"
	case []any:
		return "array"
	default:
		return "table"
	}
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// mismatch says that a value has another type than the one that is asked for.
func mismatch(v any, want string) (message, remedy string) {
	return fmt.Sprintf("%s is %s, type says %s", brief(v), article(typeOf(v)), want), "write " + instead(v, want)
}

// instead is the value of the type asked for that was most likely meant.
func instead(v any, want string) string {
	text := fmt.Sprint(v)
	if s, ok := v.(string); ok {
		text = s
	}
	switch want {
	case "integer":
		if f, err := strconv.ParseFloat(text, 64); err == nil && f == float64(int64(f)) && f < 1<<53 && f > -1<<53 {
			return strconv.FormatInt(int64(f), 10)
		}
		return "a whole number such as 5"
	case "float", "number":
		if _, err := strconv.ParseInt(text, 10, 64); err == nil && want == "number" {
			return text
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil && f-f == 0 {
			return literal(f)
		}
		return "a number such as 0.5"
	case "boolean":
		if b, err := strconv.ParseBool(strings.ToLower(text)); err == nil {
			return strconv.FormatBool(b)
		}
		return "true or false"
	case "duration":
		if n, ok := v.(int64); ok && n >= 0 {
			return strconv.Quote(text + "s")
		}
		return `a string such as "5s"`
	case "size":
		if n, ok := v.(int64); ok && n >= 0 {
			return strconv.Quote(Size(n).String())
		}
		return `a string such as "8MiB"`
	case "string":
		switch v.(type) {
		case int64, float64, bool:
			return strconv.Quote(literal(v))
		}
		return `text in quotes`
	}
	if strings.HasPrefix(want, "array") {
		if kind := typeOf(v); kind == "table" || kind == "array" || want != "array" && want != "array of values" && want != "array of "+kind+"s" {
			return `values in brackets, such as ["a", "b"]`
		}
		return "[" + brief(v) + "]"
	}
	return "a table: { name = value }"
}
