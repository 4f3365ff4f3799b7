package ipc

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// scanner reads the JSON that peers of ours write, in one pass and without copying. It takes nothing that it is not sure of: what
// is unusual, such as an escape in a string or a fraction, makes it fail, and the general decoder has its say. So it need not
// know all of JSON, but must not take what is none.
type scanner struct {
	text []byte
	at   int
	bad  bool // something was not as expected; at has no meaning any more
	wide bool // there is something beyond ASCII
}

func (s *scanner) fail() { s.bad = true }

// space passes over white space.
func (s *scanner) space() {
	for s.at < len(s.text) && s.text[s.at] <= ' ' { // which there mostly is none of
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// next returns the byte that begins the next token, 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.at == len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// take passes over one byte, which must come next.
func (s *scanner) take(want byte) {
	if s.next() != want {
		s.fail()
		return
	}
	s.at++
}

// str reads a string without escapes; it shares the text's memory.
func (s *scanner) str() []byte {
	s.take('"')
	if s.bad {
		return nil
	}
	start := s.at
	n, wide := simple(s.text[s.at:])
	s.at, s.wide = s.at+n, s.wide || wide
	if s.at == len(s.text) || s.text[s.at] != '"' {
		s.fail()
		return nil
	}
	s.at++
	return s.text[start : s.at-1]
}

// maxDigits is how many decimal digits surely fit into 63 bits.
const maxDigits = 18

// integer reads a number without fraction and exponent.
func (s *scanner) integer() (n int64) {
	negative := s.next() == '-'
	if negative {
		s.at++
	}
	start, end := s.at, s.at
	for end < len(s.text) && s.text[end]-'0' <= 9 {
		n = n*10 + int64(s.text[end]-'0')
		end++
	}
	s.at = end
	digits := end - start
	if digits == 0 || digits > maxDigits || digits > 1 && s.text[start] == '0' || s.at == len(s.text) || s.unfinished() {
		s.fail()
		return 0
	}
	if negative {
		return -n
	}
	return n
}

// unfinished reports whether a number goes on in a way that is not read here.
func (s *scanner) unfinished() bool {
	c := s.text[s.at]
	return c == '.' || c == 'e' || c == 'E'
}

// maxNesting is how deep a value may be that is passed over.
const maxNesting = 64

// value passes over any value and returns its text.
func (s *scanner) value() []byte {
	s.space()
	start := s.at
	s.pass(maxNesting)
	if s.bad {
		return nil
	}
	return s.text[start:s.at:s.at]
}

func (s *scanner) pass(deeper int) {
	switch c := s.next(); {
	case s.bad || deeper == 0:
		s.fail()
	case c == '"':
		s.str()
	case c == '{':
		s.members(func([]byte) { s.pass(deeper - 1) })
	case c == '[':
		s.elements(func() { s.pass(deeper - 1) })
	case c == 't':
		s.word("true")
	case c == 'f':
		s.word("false")
	case c == 'n':
		s.word("null")
	default:
		s.integer()
	}
}

func (s *scanner) word(want string) {
	if len(s.text)-s.at < len(want) || string(s.text[s.at:s.at+len(want)]) != want {
		s.fail()
		return
	}
	s.at += len(want)
}

// members reads an object; f reads the value of each name.
func (s *scanner) members(f func(name []byte)) {
	s.take('{')
	if s.next() == '}' {
		s.at++
		return
	}
	for !s.bad {
		name := s.str()
		s.take(':')
		if s.bad {
			return
		}
		f(name)
		if s.bad {
			return
		}
		if s.next() == '}' {
			s.at++
			return
		}
		s.take(',')
		s.space()
	}
}

// elements reads an array; f reads each of its values.
func (s *scanner) elements(f func()) {
	s.take('[')
	if s.next() == ']' {
		s.at++
		return
	}
	for !s.bad {
		f()
		if s.bad {
			return
		}
		if s.next() == ']' {
			s.at++
			return
		}
		s.take(',')
	}
}

// end reports whether everything was read and nothing was unusual. What is not UTF-8 is.
func (s *scanner) end() bool {
	return !s.bad && s.next() == 0 && s.at == len(s.text) && (!s.wide || utf8.Valid(s.text))
}

const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// simple is how many bytes at the beginning of b stand for themselves in a JSON string: no quote, backslash or control character.
// wide says that it has seen something beyond ASCII in b. It looks at eight bytes at a time.
func simple(b []byte) (n int, wide bool) {
	seen := uint64(0)
	for ; len(b)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		seen |= w
		quote, backslash := w^(lows*'"'), w^(lows*'\\')
		control := (w - lows*0x20) & ^w
		special := (control | (quote-lows)&^quote | (backslash-lows)&^backslash) & highs
		if special != 0 {
			return n + bits.TrailingZeros64(special)/8, seen&highs != 0
		}
	}
	for n < len(b) && b[n] >= 0x20 && b[n] != '"' && b[n] != '\\' {
		seen |= uint64(b[n])
		n++
	}
	return n, seen&highs != 0
}

// plain reports whether all of b stands for itself in a JSON string and is ASCII. It looks at 32 bytes at a time.
func plain(b []byte) bool {
	for ; len(b) >= 32; b = b[32:] {
		if (suspect(b)|suspect(b[8:])|suspect(b[16:])|suspect(b[24:]))&highs != 0 {
			return false
		}
	}
	for ; len(b) >= 8; b = b[8:] {
		if suspect(b)&highs != 0 {
			return false
		}
	}
	for _, c := range b {
		if c < 0x20 || c >= 0x80 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// suspect has a high bit set if, and only if, one of the first eight bytes is not plain.
func suspect(b []byte) uint64 {
	w := binary.LittleEndian.Uint64(b)
	quote, backslash := w^(lows*'"'), w^(lows*'\\')
	return w | (w - lows*0x20) | (quote - lows) | (backslash - lows)
}

// What data that carries bytes looks like.
const (
	beforePayload = `{"payload":"`
	afterPayload  = `"}`
)

// payloadText returns the text of the payload if data is as PayloadData writes it.
func payloadText(data []byte) ([]byte, bool) {
	n := len(data) - len(afterPayload)
	if n < len(beforePayload) || string(data[:len(beforePayload)]) != beforePayload || string(data[n:]) != afterPayload {
		return nil, false
	}
	text := data[len(beforePayload):n]
	return text, plain(text)
}
