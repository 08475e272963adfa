package token

import "unicode/utf8"

// GPT-2's files write the bytes of a token as printable characters. A byte that is a printable character of Latin-1 is
// written as itself, the others, in ascending order, as U+0100 and on. Source: bytes_to_unicode of GPT-2's encoder.py.
var alphabet, alphabetByte = makeAlphabet()

// makeAlphabet returns the characters of the bytes, and the bytes of the characters, −1 for none.
func makeAlphabet() (runes [256]rune, bytes [256 + 68]int) {
	for i := range bytes {
		bytes[i] = -1
	}
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if !('!' <= r && r <= '~' || '¡' <= r && r <= '¬' || '®' <= r) {
			r = next
			next++
		}
		runes[b], bytes[r] = r, b
	}
	return runes, bytes
}

// fromAlphabet returns the bytes that a token of a file stands for. A token with other characters, as a rule an added
// word, stands for itself, as in Hugging Face tokenizers.
func fromAlphabet(s string) string {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r == utf8.RuneError || int(r) >= len(alphabetByte) || alphabetByte[r] < 0 {
			return s
		}
		out = append(out, byte(alphabetByte[r]))
	}
	return string(out)
}

// toAlphabet is the reverse of fromAlphabet.
func toAlphabet(s string) string {
	out := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		out = utf8.AppendRune(out, alphabet[s[i]])
	}
	return string(out)
}
