package ipc

import (
	"encoding/base64"
	"encoding/binary"
)

// Payloads are most of what large frames are made of, so their base64 is read and written several bytes at a time. What is said
// here about the bulk of a text is encoding/base64's say for the end of it and for everything unusual.

// pairs has the two characters of each 12 bits, the first in the low byte.
var pairs = func() (t [1 << 12]uint16) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for n := range t {
		t[n] = uint16(alphabet[n>>6]) | uint16(alphabet[n&63])<<8
	}
	return t
}()

// sextets has what a character stands for at each of the four places of a quantum. One that stands for nothing has noSextet.
var sextets = func() (t [4][256]uint32) {
	for place := range t {
		for c := range t[place] {
			t[place][c] = noSextet
		}
		for n, pair := range pairs[:64] {
			t[place][pair>>8] = uint32(n) << (18 - 6*place)
		}
	}
	return t
}()

const noSextet = 1 << 31

// appendBase64 appends the text of src to dst, which has room for it.
func appendBase64(dst, src []byte) []byte {
	at := len(dst)
	dst = dst[:at+len(src)/6*8]
	for len(src) >= 8 { // six are used, eight are read
		w := binary.BigEndian.Uint64(src)
		binary.LittleEndian.PutUint64(dst[at:],
			uint64(pairs[w>>52])|uint64(pairs[w>>40&0xfff])<<16|uint64(pairs[w>>28&0xfff])<<32|uint64(pairs[w>>16&0xfff])<<48)
		src, at = src[6:], at+8
	}
	return base64.StdEncoding.AppendEncode(dst[:at], src)
}

// decodeBase64 returns the bytes of a text, with the errors of encoding/base64.
func decodeBase64(text []byte) ([]byte, error) {
	size := len(text) / 4 * 3
	for i := 1; i <= 2 && i <= size && text[len(text)-i] == '='; i++ {
		size-- // memory comes in sizes, and a byte more can be much more
	}
	dst := make([]byte, size)
	src, n := text, 0
	for len(src) >= 8 && len(dst)-n >= 8 { // six are meant, eight are written
		a := sextets[0][src[0]] | sextets[1][src[1]] | sextets[2][src[2]] | sextets[3][src[3]]
		b := sextets[0][src[4]] | sextets[1][src[5]] | sextets[2][src[6]] | sextets[3][src[7]]
		if (a|b)&noSextet != 0 {
			break
		}
		binary.BigEndian.PutUint64(dst[n:], uint64(a)<<40|uint64(b)<<16)
		src, n = src[8:], n+6
	}
	var end [12]byte
	if len(src) > len(end) {
		return base64.StdEncoding.DecodeString(string(text)) // something is unusual, or wrong
	}
	rest, err := base64.StdEncoding.Decode(end[:], src)
	if err != nil {
		return base64.StdEncoding.DecodeString(string(text)) // it says where in the whole text
	}
	return append(dst[:n], end[:rest]...), nil
}
