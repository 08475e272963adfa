package finetune_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/train/finetune"
)

// TestParseSpans: the forms of annotation tools, and what is none of them.
func TestParseSpans(t *testing.T) {
	per := []finetune.Span{{Start: 0, End: 5, Label: "PER"}}
	for _, c := range []struct {
		json string
		want []finetune.Span
		err  string
	}{
		{`[[0, 5, "PER"]]`, per, ""},
		{`[{"start": 0, "end": 5, "label": "PER", "token_start": 0}]`, per, ""},
		{`[{"id": 7, "label": "PER", "start_offset": 0, "end_offset": 5}]`, per, ""},
		{`[{"start": 0, "end": 5, "text": "Marie", "labels": ["PER"]}]`, per, ""},
		{`"[[0, 5, \"PER\"]]"`, per, ""},
		{`[[0, 5, "PER"], {"start": 6, "end": 9, "label": "地"}]`, append(slices.Clone(per), finetune.Span{Start: 6, End: 9, Label: "地"}), ""},
		{`[]`, []finetune.Span{}, ""},
		{`null`, nil, ""},
		{` `, nil, ""},
		{`""`, nil, ""},
		{`[[0, 5]]`, nil, "want start, end and label"},
		{`[[0, 5, "PER", 1]]`, nil, "want start, end and label"},
		{`[[0, null, "PER"]]`, nil, "want start, end and one label"},
		{`[[0, 5, ""]]`, nil, "want start, end and one label"},
		{`[{"start": 0, "end": 5, "labels": ["PER", "LOC"]}]`, nil, "want start, end and one label"},
		{`[{"start": 0, "label": "PER"}]`, nil, "want start, end and one label"},
		{`[[0.5, 5, "PER"]]`, nil, "number 0.5"},
		{`[null]`, nil, "want start, end and one label"},
		{"[{\"start\": 0,\n\"end\": 5}]", nil, "want start, end and one label"},
		{`[7]`, nil, "number"},
		{`{"entities": []}`, nil, "want a list such as"},
		{`PER`, nil, "want a list such as"},
	} {
		got, err := finetune.ParseSpans([]byte(c.json))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "finetune: spans: ") {
				t.Errorf("%s: %v, %v; want one line with %q", c.json, got, err, c.err)
			}
		} else if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, %v; want %#v", c.json, got, err, c.want)
		}
	}
}

// words are the bytes of a text's tokens, each of which begins at a mark |; marks are not part of the text.
func words(marked string) (text string, tokens [][2]int) {
	at := 0
	for _, w := range strings.Split(marked, "|") {
		tokens = append(tokens, [2]int{at, at + len(w)})
		at += len(w)
	}
	return strings.ReplaceAll(marked, "|", ""), tokens
}

// TestEncodeSpans: the classes of tokens (O 0, LOC 1 and 2, PER 3 and 4) by hand.
func TestEncodeSpans(t *testing.T) {
	tags := finetune.Tags{"LOC", "PER"}
	if got := fmt.Sprint(tags.Classes()); got != "[O B-LOC I-LOC B-PER I-PER]" {
		t.Errorf("classes %s", got)
	}
	for _, c := range []struct {
		name, text, spans string
		want              string
		lost              int
	}{
		{"spaces belong to the word behind", "Ana| Maria| saw| Rome|.", `[[0,9,"PER"],[14,18,"LOC"]]`, "[3 4 0 1 0]", 0},
		{"given in another order", "Ana| Maria| saw| Rome|.", `[[14,18,"LOC"],[0,9,"PER"]]`, "[3 4 0 1 0]", 0},
		{"neighbours of one label", "Rome| Oslo", `[[0,4,"LOC"],[5,9,"LOC"]]`, "[1 1]", 0},
		{"no spans", "Ana| saw", `[]`, "[0 0]", 0},
		{"a part of a token", "un|Roman|ly", `[[2,6,"LOC"]]`, "[0 1 0]", 0},
		{"parts of two tokens", "abc|def", `[[2,4,"LOC"]]`, "[1 2]", 0},
		{"two spans in one token, the second goes on", "RomeAn|na", `[[0,4,"LOC"],[4,8,"PER"]]`, "[1 3]", 0},
		{"two spans in one token", "RomeAnna| x", `[[0,4,"LOC"],[4,8,"PER"]]`, "[1 0]", 1},
		{"cut off", "Ana| saw", `[[0,3,"PER"]]`, "[3 0]", 0},
		{"no bytes do not count", "|Ana| saw|", `[[0,3,"PER"]]`, "[-1 3 0 -1]", 0},
		{"no bytes within a span", "A||na", `[[0,3,"PER"]]`, "[3 -1 4]", 0},
		{"white space at the ends is left out", "in| Rome| it", `[[2,8,"LOC"]]`, "[0 1 0]", 0},
		{"white space within counts", "New| |York", `[[0,8,"LOC"]]`, "[1 2 2]", 0},
		{"code points, not bytes", "é€|😀 |北京|。", `[[4,6,"LOC"]]`, "[0 0 1 0]", 0},
		{"tokens of parts of a character", "a|\xf0\x9f|\x98\x80|b", `[[1,2,"LOC"]]`, "[0 1 2 0]", 0},
		{"bytes that are not UTF-8 are a character each", "\xff\xfe| Oslo", `[[3,7,"LOC"]]`, "[0 1]", 0},
	} {
		text, tokens := words(c.text)
		spans, err := finetune.ParseSpans([]byte(c.spans))
		if err != nil {
			t.Fatal(c.name, err)
		}
		got, lost, err := tags.Encode(text, spans, tokens)
		if err != nil || fmt.Sprint(got) != c.want || lost != c.lost {
			t.Errorf("%s: %v, %d lost, %v; want %s, %d", c.name, got, lost, err, c.want, c.lost)
		}
	}
	text, tokens := words("Ana| saw| Rome")
	if got, lost, err := tags.Encode(text, []finetune.Span{{Start: 8, End: 12, Label: "LOC"}}, tokens[:2]); err != nil || fmt.Sprint(got) != "[0 0]" || lost != 1 {
		t.Errorf("a text cut off before its span: %v, %d lost, %v", got, lost, err)
	}
}

// TestEncodeSpansRefuses: spans that fit no text, and tokens that do not.
func TestEncodeSpansRefuses(t *testing.T) {
	for _, c := range []struct {
		spans  string
		tokens [][2]int
		want   string
	}{
		{`[[0,5,"LOC"],[4,6,"PER"]]`, nil, "spans 0–5 LOC and 4–6 PER overlap"},
		{`[[2,3,"LOC"],[0,5,"LOC"]]`, nil, "spans 0–5 LOC and 2–3 LOC overlap"},
		{`[[0,5,"LOC"],[0,5,"LOC"]]`, nil, "overlap"},
		{`[[-1,3,"LOC"]]`, nil, "want 0 ≤ start < end"},
		{`[[3,3,"LOC"]]`, nil, "want 0 ≤ start < end"},
		{`[[4,2,"LOC"]]`, nil, "want 0 ≤ start < end"},
		{`[[4,8,"LOC"]]`, nil, "the text has 7 characters"},
		{`[[7,8,"LOC"]]`, nil, "the text has 7 characters"},
		{`[[900,9223372036854775807,"LOC"]]`, nil, "the text has 7 characters"},
		{`[[3,4,"LOC"]]`, nil, "span 3–4 LOC is white space"},
		{`[[0,2,"ORG"]]`, nil, `label "ORG": want one of ["LOC" "PER"]`},
		{`[]`, [][2]int{{0, 9}}, "token 0 has bytes [0 9]: want ascending ones within the text's 8"},
		{`[]`, [][2]int{{-1, 2}}, "token 0"},
		{`[]`, [][2]int{{0, 2}, {5, 4}}, "token 1"},
		{`[]`, [][2]int{{4, 5}, {0, 2}}, "token 1"},
	} {
		spans, err := finetune.ParseSpans([]byte(c.spans))
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := finetune.Tags{"LOC", "PER"}.Encode("aéb cde", spans, c.tokens)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "finetune: ") {
			t.Errorf("%s %v: %v, %v; want an error with %q", c.spans, c.tokens, got, err, c.want)
		}
	}
	tags := finetune.Tags{"LOC"}
	if _, err := tags.Decode("ab", [][2]int{{0, 2}}, make([]float32, 2)); err == nil || !strings.Contains(err.Error(), "want 3 of each") {
		t.Error(err)
	}
	if _, err := tags.Decode("ab", [][2]int{{0, 3}}, make([]float32, 3)); err == nil || !strings.Contains(err.Error(), "token 0 has bytes [0 3]") {
		t.Error(err)
	}
}

// TestDecodeSpans: spans from the classes of tokens, by hand. A digit is the class of a token; each has the probability
// 0.5 + 0.1·(place of the token mod 4).
func TestDecodeSpans(t *testing.T) {
	tags := finetune.Tags{"LOC", "PER"}
	for _, c := range []struct{ name, text, classes, want string }{
		{"words", "Ana| Maria| saw| Rome|.", "34010", "[0–9 PER 0.55] [14–18 LOC 0.80]"},
		{"nothing", "Ana| saw", "00", ""},
		{"B ends a span of its label", "Rome| Oslo", "11", "[0–4 LOC 0.50] [5–9 LOC 0.60]"},
		{"I begins one behind O and behind another label", "a| b| c", "024", "[2–3 LOC 0.60] [4–5 PER 0.70]"},
		{"no bytes belong to no span", "|A||na|", "13144", "[0–3 PER 0.70]"},
		{"white space is no span", "a| |b", "010", ""},
		{"code points", "é€|😀 |北京|。", "0010", "[4–6 LOC 0.70]"},
		{"a part of a character is the whole", "a|\xf0\x9f|\x98\x80|b", "0010", "[1–2 LOC 0.70]"},
		{"a character goes to the first of two spans", "a|\xf0\x9f|\x98\x80b|c", "0130", "[1–2 LOC 0.60] [2–3 PER 0.70]"},
	} {
		text, tokens := words(c.text)
		p := make([]float32, 5*len(tokens))
		for i, class := range c.classes {
			p[5*i+int(class-'0')] = 0.5 + 0.1*float32(i%4)
		}
		spans, err := tags.Decode(text, tokens, p)
		var got []string
		for _, s := range spans {
			got = append(got, fmt.Sprintf("[%d–%d %s %.2f]", s.Start, s.End, s.Label, s.Probability))
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, %v; want %s", c.name, got, err, c.want)
		}
	}
}

// TestSpansRoundTrip: random spans of random texts become classes of tokens and come back as they were. Tokens are
// bytes, characters and those of published models. No two spans share a token, and none begins or ends with white
// space.
func TestSpansRoundTrip(t *testing.T) {
	bpe, err := token.Open("../../data/token/testdata/hf/smollm.json")
	if err != nil {
		t.Fatal(err)
	}
	llama, err := token.Open("../../data/token/testdata/hf/llama2.json")
	if err != nil {
		t.Fatal(err)
	}
	letters := []rune("ab é€😀北 京\u0301.")
	char, err := token.NewChar([]byte(string(letters)))
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]int{}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var text []rune
		for range 1 + r.IntN(30) {
			text = append(text, letters[r.IntN(len(letters))])
		}
		var want []finetune.Span
		for at := r.IntN(4); at < len(text); at += r.IntN(6) {
			end := min(len(text), at+1+r.IntN(5))
			if !unicode.IsSpace(text[at]) && !unicode.IsSpace(text[end-1]) {
				want = append(want, finetune.Span{Start: at, End: end, Label: []string{"LOC", "PER"}[r.IntN(2)]})
				at = end
			}
		}
		for name, tok := range map[string]token.Tokenizer{"byte": token.Byte{}, "char": char, "bpe": bpe, "sentencepiece": llama} {
			checked[name] += roundTrip(t, fmt.Sprintf("%s seed %d", name, seed), tok, string(text), want)
		}
	}
	for name, n := range checked {
		if n < 200 {
			t.Errorf("%s: only %d spans came back whole", name, n)
		}
	}
}

// roundTrip returns the number of spans that were compared.
func roundTrip(t *testing.T, what string, tok token.Tokenizer, text string, want []finetune.Span) int {
	t.Helper()
	tags := finetune.Tags{"LOC", "PER"}
	_, tokens, err := token.Offsets(tok, []byte(text), token.Options{Add: true})
	if err != nil {
		t.Fatal(err)
	}
	classes, lost, err := tags.Encode(text, want, tokens)
	if err != nil {
		t.Fatal(what, err)
	}
	p := make([]float32, 5*len(tokens))
	for i, class := range classes {
		if class >= 0 {
			p[5*i+int(class)] = 1
		}
	}
	got, err := tags.Decode(text, tokens, p)
	if err != nil {
		t.Fatal(what, err)
	}
	if len(got)+lost < len(want) {
		t.Errorf("%s: %q: %v of %v, and %d lost", what, text, got, want, lost)
	}
	ends := map[int]bool{} // ends of tokens, in characters
	for _, s := range tokens {
		ends[utf8.RuneCountInString(text[:s[0]])], ends[utf8.RuneCountInString(text[:s[1]])] = true, true
	}
	whole := 0
	for _, s := range want {
		starts := ends[s.Start] || s.Start > 0 && []rune(text)[s.Start-1] == ' ' && ends[s.Start-1]
		if starts && ends[s.End] {
			s.Probability = 1
			if whole++; !slices.Contains(got, s) {
				t.Errorf("%s: %q: %v became %v", what, text, s, got)
			}
		}
	}
	return whole
}

// FuzzSpans: any JSON and any text give an error, or classes and spans within the text.
func FuzzSpans(f *testing.F) {
	f.Add(`[[0,2,"a"],[3,4,"b"]]`, "ab\xff 北", []byte{1, 3, 2, 0, 4})
	f.Add(`[{"start":1,"end":2,"labels":["a"]}]`, " a b", []byte{9})
	f.Fuzz(func(t *testing.T, json, text string, classes []byte) {
		spans, err := finetune.ParseSpans([]byte(json))
		if err != nil {
			return
		}
		tags := finetune.TagsOf(spans)
		_, tokens, err := token.Offsets(token.Byte{}, []byte(text), token.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if ids, lost, err := tags.Encode(text, spans, tokens); err == nil && (len(ids) != len(tokens) || lost != 0) {
			t.Errorf("%d classes, %d lost", len(ids), lost)
		}
		n := 1 + 2*len(tags)
		p := make([]float32, n*len(tokens))
		for i := range tokens {
			if len(classes) > 0 {
				p[i*n+int(classes[i%len(classes)])%n] = float32(math.Abs(float64(i)))
			}
		}
		got, err := tags.Decode(text, tokens, p)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, s := range got {
			if s.Start < at || s.End <= s.Start || s.End > utf8.RuneCountInString(text) {
				t.Errorf("%q: spans %v", text, got)
			}
			at = s.End
		}
	})
}
