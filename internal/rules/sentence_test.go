package rules

import (
	"go/doc/comment"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// commentSentences returns the sentences of a comment's text. A heading and an indented block are none; a paragraph
// and a list item end one.
func commentSentences(text string) []string {
	var all []string
	for _, b := range new(comment.Parser).Parse(text).Content {
		all = append(all, blockSentences(b)...)
	}
	return all
}

func blockSentences(b comment.Block) []string {
	var all []string
	switch b := b.(type) {
	case *comment.Paragraph:
		return sentences(plain(b.Text))
	case *comment.List:
		for _, item := range b.Items {
			for _, c := range item.Content {
				all = append(all, blockSentences(c)...)
			}
		}
	}
	return all
}

// plain returns the text without its links' targets.
func plain(text []comment.Text) string {
	var b strings.Builder
	for _, t := range text {
		switch t := t.(type) {
		case comment.Plain:
			b.WriteString(string(t))
		case comment.Italic:
			b.WriteString(string(t))
		case *comment.Link:
			b.WriteString(plain(t.Text))
		case *comment.DocLink:
			b.WriteString(plain(t.Text))
		}
	}
	return b.String()
}

// listItem matches the start of a list item that its writer did not indent.
var listItem = regexp.MustCompile(`^(?:[-*•]|\d+[.)]) `)

// sentences splits a paragraph. A sentence ends at the paragraph's end, before a list item, and at a word that ends
// in ".", "?" or "!", with or without quotes and brackets behind it, unless the word is an abbreviation or an ellipsis.
func sentences(paragraph string) []string {
	var all, words []string
	end := func() {
		if len(words) > 0 {
			all = append(all, strings.Join(words, " "))
		}
		words = nil
	}
	for line := range strings.Lines(paragraph) {
		line = strings.TrimSpace(line)
		if m := listItem.FindString(line); m != "" {
			end()
			line = line[len(m):]
		}
		for _, w := range strings.Fields(line) {
			words = append(words, w)
			if endsSentence(w) {
				end()
			}
		}
	}
	end()
	return all
}

// abbreviations end in a full stop that ends no sentence.
var abbreviations = []string{"e.g.", "i.e.", "al.", "etc.", "cf.", "vs.", "sec.", "fig.", "eq.", "pp.", "vol.", "approx.", "resp.", "incl."}

func endsSentence(word string) bool {
	word = strings.TrimRight(word, "\"'”’`)]*_")
	if strings.HasSuffix(word, "..") || !strings.ContainsAny(word[max(0, len(word)-1):], ".?!") {
		return false
	}
	return !slices.Contains(abbreviations, strings.ToLower(strings.TrimLeft(word, "\"'“‘`([*_")))
}

// wordCount counts what has a letter or a digit: signs of a formula are no words.
func wordCount(sentence string) int {
	n := 0
	for w := range strings.FieldsSeq(sentence) {
		if strings.ContainsFunc(w, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			n++
		}
	}
	return n
}

func TestSentences(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"two", "A is b. C is d.", []string{"A is b.", "C is d."}},
		{"over lines", "A is\nb. C\nis d.", []string{"A is b.", "C is d."}},
		{"no stop at the end", "A is b", []string{"A is b"}},
		{"paragraphs", "A is b\n\nC is d", []string{"A is b", "C is d"}},
		{"question, call", "Is it? It is! So.", []string{"Is it?", "It is!", "So."}},
		{"quotes, brackets", `It says "no." (It does.) Then.`, []string{`It says "no."`, "(It does.)", "Then."}},
		{"abbreviations", "See Ba et al. 2016, e.g. section 3, i.e. all (cf. fig. 2). So.", []string{"See Ba et al. 2016, e.g. section 3, i.e. all (cf. fig. 2).", "So."}},
		{"dots in words", "Section 2.3 of arXiv:1606.08415 and go.mod of v0.9.18 say .5. So.", []string{"Section 2.3 of arXiv:1606.08415 and go.mod of v0.9.18 say .5.", "So."}},
		{"ellipsis", "Names are h.0 ... h.11, 1, 2, … and so on. So.", []string{"Names are h.0 ... h.11, 1, 2, … and so on.", "So."}},
		{"semicolon", "A is b; c is d.", []string{"A is b; c is d."}},
		{"indented block", "GELU is\n\n\ty = x. z. w.\n\nelementwise.", []string{"GELU is", "elementwise."}},
		{"colon before a block", "It computes:\n\n\ty = x\n\nThen more.", []string{"It computes:", "Then more."}},
		{"list", "It has:\n  - one. Two.\n  - three", []string{"It has:", "one.", "Two.", "three"}},
		{"list at the margin", "It has\n- one\n- two\n1. three", []string{"It has", "one", "two", "three"}},
		{"heading", "A is b.\n\n# More\n\nC is d.", []string{"A is b.", "C is d."}},
		{"link", "A [math.Sqrt] is a [Root].", []string{"A math.Sqrt is a [Root]."}},
	} {
		if got := commentSentences(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q\ngot  %q\nwant %q", c.name, c.text, got, c.want)
		}
	}
}

func TestWordCount(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"", 0}, {"One.", 1}, {"y = x·W + b", 3}, {"it's a self-made one", 4}, {"— 3 … (B, T) → z", 4},
	} {
		if got := wordCount(c.text); got != c.want {
			t.Errorf("%q: %d words, want %d", c.text, got, c.want)
		}
	}
}
