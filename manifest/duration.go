package manifest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time, written as a string such as "200ms", "5s" or "1h30m" with the units of [time.ParseDuration].
type Duration time.Duration

// Std is the duration as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String is the shortest text that parses to d again: "5m" where time.Duration says "5m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// UnmarshalText parses what String writes.
func (d *Duration) UnmarshalText(text []byte) error {
	std, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf(`%q is no duration; write %s`, text, nearDuration(string(text)))
	}
	*d = Duration(std)
	return nil
}

// nearDuration is the duration someone may have meant: days in hours, a bare number in seconds.
func nearDuration(text string) string {
	if days, err := strconv.ParseInt(strings.TrimSuffix(text, "d"), 10, 16); err == nil && days >= 0 {
		if strings.HasSuffix(text, "d") {
			return strconv.Quote(Duration(days * int64(24*time.Hour)).String())
		}
		return strconv.Quote(text + "s")
	}
	return `a number with its unit (ms, s, m or h), such as "5s"`
}

// Format names the type and gives the regular expression of its text, for the documents generated from it.
func (Duration) Format() (name, pattern string) {
	return "duration", `^[+-]?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$`
}
