package manifest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written as a string such as "8MiB" or "2GB".
type Size int64

// unit is one suffix of a size; no suffix ends in one that stands before it.
type unit struct {
	suffix string
	bytes  int64
}

func units() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
	}
}

// String is the size as the smallest whole number that some unit allows: "8MiB", "2GB".
func (s Size) String() string {
	least := unit{"B", 1}
	for _, u := range units() {
		if int64(s)%u.bytes == 0 && u.bytes > least.bytes && s != 0 {
			least = u
		}
	}
	return strconv.FormatInt(int64(s)/least.bytes, 10) + least.suffix
}

// UnmarshalText parses what String writes.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range units() {
		number, ok := strings.CutSuffix(string(text), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.bytes {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf(`%q is no size; write %s`, text, nearSize(string(text)))
}

// nearSize is the size someone may have meant: the unit in other letters.
func nearSize(text string) string {
	number := strings.TrimRight(text, letters)
	suffix := text[len(number):]
	for _, u := range units() {
		if suffix != u.suffix && strings.EqualFold(suffix, u.suffix) && strings.Trim(number, digits+" ") == "" && number != "" {
			return strconv.Quote(number + u.suffix)
		}
	}
	return `a whole number with its unit (KiB, MiB, GiB, kB, MB or GB), such as "8MiB"`
}

// Format names the type and gives the regular expression of its text, for the documents generated from it.
func (Size) Format() (name, pattern string) {
	return "size", `^[0-9]+ *(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$`
}
