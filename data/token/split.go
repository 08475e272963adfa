package token

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// The splitters below are handwritten forms of regular expressions, which split_named.go has as text. Published models
// cut a text with them before its bytes are merged. All of them share the classes \p{L} (letter), \p{N} (number) and \s
// (White_Space) of Unicode 16.0. Hugging Face tokenizers 0.22 and tiktoken 0.14 have that version; package unicode has
// an older one.

// GPT2 is the splitter of GPT-2 and of most byte-level BPE models before 2023:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, encoder.py of its code.
func GPT2(text []byte, i int) int {
	if text[i] == '\'' {
		if n := contraction(text[i:]); n > 0 {
			return i + n
		}
	}
	start := i
	if text[i] == ' ' && i+1 < len(text) {
		start++
	}
	c, n := classAt(text, start)
	if c&space != 0 {
		return spaces(text, i)
	}
	return run(text, start+n, c&(letter|number|other))
}

// Llama3 is the splitter of Llama 3, and the first published one of GPT-4 (cl100k):
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
//	 ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// The expression is one line, without the tab at the start of the second one.
func Llama3(text []byte, i int) int {
	if n := foldedContraction(text[i:]); n > 0 {
		return i + n
	}
	c, n := classAt(text, i)
	if c&(number|newline) == 0 {
		if end := run(text, i+n, letter); c&letter != 0 || end > i+n {
			return end
		}
	}
	return rest(text, i, c, n, 3, newline)
}

// CL100K is the splitter of GPT-4 (cl100k_base) in current versions of tiktoken. It differs from [Llama3] in one
// place: white space that ends the text stays whole, where Llama3 cuts behind its last line end.
//
//	'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|
//	 ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s
func CL100K(text []byte, i int) int {
	if c, n := classAt(text, i); c&space != 0 {
		if end := run(text, i+n, space); end == len(text) {
			return end
		}
	}
	return Llama3(text, i)
}

// Qwen2 is the splitter of Qwen 2, 2.5 and 3: [Llama3] with each number alone (\p{N} for \p{N}{1,3}).
func Qwen2(text []byte, i int) int {
	if c, n := classAt(text, i); c&number != 0 {
		return i + n
	}
	return Llama3(text, i)
}

// O200K is the splitter of GPT-4o (o200k_base) and Llama 4. With U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}],
// L = [\p{Ll}\p{Lm}\p{Lo}\p{M}], P = [^\r\n\p{L}\p{N}] and C = (?i:'s|'t|'re|'ve|'m|'ll|'d):
//
//	P?U*L+C?|P?U+L*C?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
func O200K(text []byte, i int) int {
	c, n := classAt(text, i)
	if end := casedWord(text, i, c, n); end > 0 {
		return end + foldedContraction(text[end:])
	}
	return rest(text, i, c, n, 3, newline|slash)
}

// Tekken is the splitter of Mistral's models since Nemo: [O200K] without contractions (C) and with each number alone.
func Tekken(text []byte, i int) int {
	c, n := classAt(text, i)
	if end := casedWord(text, i, c, n); end > 0 {
		return end
	}
	return rest(text, i, c, n, 1, newline|slash)
}

// Digits puts each number (\p{N}) alone and leaves all between them whole: Hugging Face's Digits pre-tokenizer with
// individual_digits.
func Digits(text []byte, i int) int {
	c, n := classAt(text, i)
	if c&number != 0 {
		return i + n
	}
	return run(text, i+n, letter|space|other)
}

// DigitRuns separates numbers from what is between them: Hugging Face's Digits pre-tokenizer without
// individual_digits.
func DigitRuns(text []byte, i int) int {
	c, n := classAt(text, i)
	if c&number != 0 {
		return run(text, i+n, number)
	}
	return run(text, i+n, letter|space|other)
}

// rest is the end of a piece without letters: \p{N}{1,digits}| ?[^\s\p{L}\p{N}]+tail*|\s*[\r\n]+|\s+(?!\S)|\s+ for
// the character of class c and n bytes at text[i:].
func rest(text []byte, i int, c class, n, digits int, tail class) int {
	end := i + n
	if c&number != 0 {
		for ; digits > 1 && end < len(text); digits-- {
			c, n := classAt(text, end)
			if c&number == 0 {
				break
			}
			end += n
		}
		return end
	}
	if text[i] == ' ' && end < len(text) {
		c, n = classAt(text, end)
		end += n
	}
	if c&other != 0 {
		return run(text, run(text, end, other), tail)
	}
	end = run(text, i, space)
	for k := end - 1; k >= i; k-- {
		if text[k] == '\n' || text[k] == '\r' {
			return k + 1
		}
	}
	return spaces(text, i)
}

// spaces is the end of \s+(?!\S)|\s+ from white space at text[i:]. A run of white space leaves its last character to
// the piece that follows, unless it has no other character or ends the text.
func spaces(text []byte, i int) int {
	end := run(text, i, space)
	if end == len(text) {
		return end
	}
	_, n := utf8.DecodeLastRune(text[i:end])
	if end-n > i {
		return end - n
	}
	return end
}

// casedWord is the end of P?U*L+|P?U+L* (see [O200K]) from text[i:], 0 where there is none. The class and size of its
// first character are c and n. A mark is in P, U and L.
func casedWord(text []byte, i int, c class, n int) int {
	if c&(number|newline) != 0 {
		return 0
	}
	start := i
	if c&letter == 0 {
		start += n // P
	}
	uppers, word := start, 0 // the ends of U* and of U*L+
	for uppers < len(text) {
		c, n := classAt(text, uppers)
		if c&upper == 0 {
			break
		}
		uppers += n
		if c&lower != 0 {
			word = uppers // U* can leave this character to L+
		}
	}
	switch end := run(text, uppers, lower); {
	case end > uppers:
		return end
	case word > 0:
		return word
	case c&upper != 0 && c&letter == 0:
		return i + n // a mark alone, as L+
	case uppers > start:
		return uppers
	}
	return 0
}

// contraction is the length of 's|'t|'re|'ve|'m|'ll|'d at the start of text, 0 where there is none.
func contraction(text []byte) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	switch text[1] {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if len(text) > 2 && text[2] == 'e' {
			return 3
		}
	case 'l':
		if len(text) > 2 && text[2] == 'l' {
			return 3
		}
	}
	return 0
}

// foldedContraction is contraction in any case. Simple folding of Unicode adds ſ (U+017F) to the forms of s, and
// nothing to those of the other letters.
func foldedContraction(text []byte) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	const longS = "ſ"
	if len(text) > len(longS) && string(text[1:1+len(longS)]) == longS {
		return 1 + len(longS)
	}
	folded := [3]byte{'\'', text[1] | 0x20}
	if len(text) > 2 {
		folded[2] = text[2] | 0x20
	}
	// A byte that | 0x20 turns into one of these letters is that letter in one of its cases.
	return contraction(folded[:min(len(text), 3)])
}

// class is what the splitters want to know of a character: a set of the bits below.
type class uint8

const (
	letter  class = 1 << iota // \p{L}
	number                    // \p{N}
	space                     // \s: White_Space
	other                     // [^\s\p{L}\p{N}]
	newline                   // [\r\n]
	upper                     // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
	lower                     // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
	slash                     // the character /
)

// run is the end of the characters at text[i:] that have one of the classes of want.
func run(text []byte, i int, want class) int {
	for i < len(text) {
		if b := text[i]; b < utf8.RuneSelf {
			if ascii[b]&want == 0 {
				return i
			}
			i++
			continue
		}
		c, n := classAt(text, i)
		if c&want == 0 {
			return i
		}
		i += n
	}
	return i
}

// classAt is the class and the size in bytes of the character at text[i:].
func classAt(text []byte, i int) (class, int) {
	if b := text[i]; b < utf8.RuneSelf {
		return ascii[b], 1
	}
	r, n := utf8.DecodeRune(text[i:]) // U+FFFD is of class other, so bytes that are not UTF-8 are
	return classes()[r], n
}

// ascii is the part of classes that most texts need.
var ascii = (*[utf8.RuneSelf]class)(classTable(utf8.RuneSelf))

// classes has the class of every character, 1 MB; a look into the tables of package unicode is a binary search.
var classes = sync.OnceValue(func() *[unicode.MaxRune + 1]class {
	return (*[unicode.MaxRune + 1]class)(classTable(unicode.MaxRune + 1))
})

// classTable returns the classes of the first n characters.
func classTable(n rune) []class {
	t := make([]class, n)
	for r := range t {
		t[r] = other
	}
	for _, row := range []struct {
		of    *unicode.RangeTable
		class class
	}{
		{unicode.L, letter | upper | lower},
		{unicode.Lu, letter | upper}, {unicode.Lt, letter | upper}, {unicode.Ll, letter | lower},
		{unicode.M, other | upper | lower},
		{unicode.N, number},
		{unicode.White_Space, space},
	} {
		for _, r := range row.of.R16 {
			fill(t, rune(r.Lo), rune(r.Hi), rune(r.Stride), row.class)
		}
		for _, r := range row.of.R32 {
			fill(t, rune(r.Lo), rune(r.Hi), rune(r.Stride), row.class)
		}
	}
	for _, x := range unicode16 {
		fill(t, x.lo, x.hi, 1, x.class)
	}
	t['\r'] |= newline
	t['\n'] |= newline
	t['/'] |= slash
	return t
}

// fill sets t[lo], t[lo+stride] … t[hi], as far as t goes.
func fill(t []class, lo, hi, stride rune, c class) {
	for r := lo; r <= hi && int(r) < len(t); r += stride {
		t[r] = c
	}
}
