package token

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// nfcSegment returns the length of the characters that text begins with and that may change together. (The boundaries
// of the package norm also cut a long run of combining marks.)
func nfcSegment(text []byte) int {
	n := 0
	for n < len(text) {
		p := norm.NFC.Properties(text[n:])
		if n > 0 && p.BoundaryBefore() {
			break
		}
		n += max(1, p.Size())
	}
	return n
}

// nfc returns a text in Unicode's normalization form C; bytes that are not UTF-8 stay as they are. The package norm
// puts U+034F into runs of more than 30 combining marks, Hugging Face tokenizers does not. Such texts are composed
// here. Source: Unicode Standard Annex 15, section 13, stream-safe text.
func nfc(text []byte) []byte {
	const joiner = "\u034F"
	out := norm.NFC.Bytes(text)
	if bytes.Count(out, []byte(joiner)) == bytes.Count(text, []byte(joiner)) {
		return out
	}
	out = out[:0:0]
	for len(text) > 0 {
		if r, n := utf8.DecodeRune(text); r == utf8.RuneError && n == 1 {
			out, text = append(out, text[0]), text[1:]
			continue
		}
		n := 0
		for n < len(text) {
			r, size := utf8.DecodeRune(text[n:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			n += size
		}
		out, text = append(out, compose(text[:n])...), text[n:]
	}
	return out
}

// compose is the definition of form C: Unicode Standard, section 3.11, D117.
func compose(text []byte) []byte {
	var runes []rune
	for _, r := range string(text) {
		for _, d := range norm.NFD.String(string(r)) {
			runes = append(runes, d)
		}
	}
	class := func(r rune) int { return int(norm.NFC.PropertiesString(string(r)).CCC()) }
	for i := 0; i < len(runes); { // canonical ordering of each run of marks
		end := i
		for end < len(runes) && class(runes[end]) > 0 {
			end++
		}
		slices.SortStableFunc(runes[i:end], func(a, b rune) int { return class(a) - class(b) })
		i = end + 1
	}
	out := runes[:0]
	starter, last := -1, -1 // the place of the last starter, the class of the character after it that is nearest
	for _, r := range runes {
		c := class(r)
		if starter >= 0 && last < c {
			if one := []rune(norm.NFC.String(string(out[starter]) + string(r))); len(one) == 1 {
				out[starter] = one[0]
				continue
			}
		}
		if c == 0 {
			starter, last = len(out), -1
		} else {
			last = c
		}
		out = append(out, r)
	}
	return []byte(string(out))
}
