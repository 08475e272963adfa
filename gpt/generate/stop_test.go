package generate

import (
	"math/rand"
	"strings"
	"testing"
)

// pass writes a text in the given pieces and returns what came through, whether it stopped, and the most held back.
func pass(texts []string, pieces []string) (out string, stopped bool, held int) {
	s := newStopper(texts)
	in := 0
	for _, p := range pieces {
		b, over := s.write([]byte(p))
		out += string(b)
		if stopped = over; stopped {
			break
		}
		in += len(p)
		held = max(held, in-len(out))
	}
	return out + string(s.flush()), stopped, held
}

func TestStopper(t *testing.T) {
	for _, r := range []struct {
		texts, pieces string // separated by |
		want          string
		stopped       bool
		held          int
	}{
		{"", "ab|c", "abc", false, 0},
		{"END", "a|b|END|c", "ab", true, 0},
		{"END", "abEN", "abEN", false, 2},
		{"END", "E|N|E|N|D", "EN", true, 2},
		{"END", "a ENDEND", "a ", true, 0},
		{"END", "xENyEND", "xENy", true, 0},
		{"aab", "a|a|a|b", "a", true, 2},
		{"abab|x", "ab|aab|ab", "aba", true, 2},
		{"abcd|bc", "abcd", "a", true, 0},  // bc ends first
		{"abc|bc|c", "zabc", "z", true, 0}, // all end together: the longest
		{"\n\nUser|\n\n", "a\n\n", "a", true, 0},
		{"\n\nUser", "a\n\nUse|d", "a\n\nUsed", false, 5},
		{"é", "\xc3|\xa9", "", true, 1},
	} {
		var texts []string
		if r.texts != "" {
			texts = strings.Split(r.texts, "|")
		}
		out, stopped, held := pass(texts, strings.Split(r.pieces, "|"))
		if out != r.want || stopped != r.stopped || held != r.held {
			t.Errorf("texts %q, pieces %q: %q stopped %v held %d, want %q %v %d", r.texts, r.pieces, out, stopped, held, r.want, r.stopped, r.held)
		}
	}
}

// TestStopperWrites: after a text and after flush nothing comes twice.
func TestStopperWrites(t *testing.T) {
	s := newStopper([]string{"xy"})
	s.write([]byte("ax"))
	if got := string(s.flush()) + string(s.flush()); got != "x" {
		t.Errorf("flushed %q, want x", got)
	}
	if b, stopped := s.write([]byte("yxy")); string(b) != "y" || !stopped {
		t.Errorf("after the flush: %q %v, want y, true", b, stopped)
	}
	if b, stopped := s.write([]byte("more")); len(b) > 0 || !stopped || len(s.flush()) > 0 {
		t.Errorf("after the text: %q %v", b, stopped)
	}
}

// cutByByte is the definition: the first byte at which any text ends, and there the one that started first.
func cutByByte(text string, texts []string) (string, bool) {
	for end := range len(text) + 1 {
		for start := range end {
			for _, t := range texts {
				if text[start:end] == t {
					return text[:start], true
				}
			}
		}
	}
	return text, false
}

// TestStopperRandom: random texts in random pieces are cut by the definition, and no byte is held back that cannot be
// part of a stop text.
func TestStopperRandom(t *testing.T) {
	word := func(r *rand.Rand, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "aab"[r.Intn(3)]
		}
		return string(b)
	}
	for seed := range int64(5000) {
		r := rand.New(rand.NewSource(seed))
		texts := make([]string, r.Intn(4))
		for i := range texts {
			texts[i] = word(r, 1+r.Intn(7))
		}
		text := word(r, r.Intn(30))
		want, stop := cutByByte(text, texts)
		s, out, in := newStopper(texts), "", ""
		for rest, over := text, false; rest != "" && !over; {
			n := 1 + r.Intn(min(4, len(rest)))
			var b []byte
			b, over = s.write([]byte(rest[:n]))
			in, out, rest = in+rest[:n], out+string(b), rest[n:]
			if held := in[len(out):]; !over && held != longestStart(in, texts) {
				t.Fatalf("seed %d: texts %q, of %q is held %q, want %q", seed, texts, in, held, longestStart(in, texts))
			}
		}
		if out += string(s.flush()); out != want || s.stopped != stop {
			t.Fatalf("seed %d: texts %q, %q gives %q %v, want %q %v", seed, texts, text, out, s.stopped, want, stop)
		}
	}
}

// longestStart returns the longest end of a text that begins a stop text, but is not all of it.
func longestStart(text string, texts []string) string {
	for i := range text {
		for _, t := range texts {
			if len(t) > len(text)-i && strings.HasPrefix(t, text[i:]) {
				return text[i:]
			}
		}
	}
	return ""
}
