package record

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/errors"
)

func texts(list []string) Texts { return func(i int) (string, error) { return list[i], nil } }

func TestFoldText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"  Win\tCASH\u00a0 now!\r\n", "win cash now!"}, {"ÄÖ Σ", "äö σ"}, {" \n", ""}, {"", ""}, {"a 1 2", "a 1 2"},
	} {
		if got := FoldText(c.in); got != c.want {
			t.Errorf("FoldText(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// naive is the similarity by its definition, over strings.
func naive(a, b string) float64 {
	set := func(s string) map[string]bool {
		r, m := []rune(FoldText(s)), map[string]bool{}
		if len(r) < shingleRunes {
			m[string(r)] = true
		}
		for i := 0; i+shingleRunes <= len(r); i++ {
			m[string(r[i:i+shingleRunes])] = true
		}
		return m
	}
	x, y, both := set(a), set(b), 0
	for k := range x {
		if y[k] {
			both++
		}
	}
	return float64(both) / float64(len(x)+len(y)-both)
}

func TestNear(t *testing.T) {
	long := "the quick brown fox jumps over the lazy dog and runs away from the very angry bear in the deep dark wood"
	for _, c := range []struct {
		name       string
		similarity float64
		list       []string
		want       string // pairs A-B
	}{
		{"equal", 1, []string{"Hello  you", "hello", "HELLO you ", "hello You"}, "0-2 0-3"},
		{"equal, by default", 0, []string{"Hello  you", "hello", "HELLO you "}, "0-2"},
		{"one letter more", 0, []string{long, "x", long + "s"}, "0-2"},
		{"one letter more, only equal ones wanted", 1, []string{long, "x", long + "s"}, ""},
		{"a word in the middle", 0.9, []string{long, strings.Replace(long, "lazy", "sleepy", 1)}, ""},
		{"a word in the middle, lower threshold", 0.8, []string{long, strings.Replace(long, "lazy", "sleepy", 1)}, "0-1"},
		{"short texts", 0.5, []string{"hi", "ho", "Hi", "", " ", "嗨。", "嗨"}, "0-2 3-4"},
		{"of what stays", 0, []string{long, long + "s", long + "s ab"}, "0-1 0-2"},
		{"none", 0, nil, ""},
	} {
		pairs, err := Near{texts(c.list), c.similarity}.Within(count(len(c.list)))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range pairs {
			got = append(got, fmt.Sprintf("%d-%d", p.A, p.B))
			if want := naive(c.list[p.A], c.list[p.B]); p.Similarity != want {
				t.Errorf("%s: similarity %g, want %g", c.name, p.Similarity, want)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: pairs %v, want %s", c.name, got, c.want)
		}
	}
	bad := func(int) (string, error) { return "", errors.New("broken") }
	for _, n := range []Near{{texts(nil), 0.4}, {texts(nil), 1.1}, {nil, 0.9}, {bad, 0.9}, {bad, 1}} {
		if _, err := n.Within([]int{0}); err == nil {
			t.Errorf("similarity %g: no error", n.Similarity)
		}
	}
}

func TestShingles(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{{"", 1}, {"嗨", 1}, {"abcd", 1}, {"abcde", 1}, {"abcdef", 2}, {"aaaaaaaaa", 1}, {"嗨嗨嗨嗨嗨你", 2}, {"abcabcabcabc", 3}} {
		if got := len((&signer{}).shingles(c.text)); got != c.want {
			t.Errorf("%q has %d shingles, want %d", c.text, got, c.want)
		}
	}
}

// TestNearRandom makes texts of random letters, each with a copy in which some letters are others. It compares Leaks
// with the definition over all pairs. Every pair found is true, and at most 1 in 1000 is missed.
func TestNearRandom(t *testing.T) {
	for _, similarity := range []float64{0.5, 0.7, 0.8, 0.9, 0.95} {
		r := rand.New(rand.NewPCG(1, uint64(similarity*100)))
		var list []string
		var a, b []int
		for i := range 1500 {
			letters := make([]rune, 40+r.IntN(120))
			for k := range letters {
				letters[k] = 'a' + rune(r.IntN(20))
			}
			list = append(list, string(letters))
			for range r.IntN(4) {
				letters[r.IntN(len(letters))] = 'Z'
			}
			list = append(list, string(letters))
			a, b = append(a, 2*i), append(b, 2*i+1)
		}
		pairs, err := Near{texts(list), similarity}.Leaks(a, b)
		if err != nil {
			t.Fatal(err)
		}
		found := map[int]bool{}
		for _, p := range pairs {
			if want := naive(list[p.A], list[p.B]); p.Similarity != want || want < similarity || p.A+1 != p.B {
				t.Errorf("%g: pair %v of similarity %g", similarity, p, want)
			}
			found[p.B] = true
		}
		missed, want := 0, 0
		for _, i := range b {
			if naive(list[i-1], list[i]) >= similarity {
				want++
				if !found[i] {
					missed++
				}
			}
		}
		t.Logf("%g: %d pairs, %d missed", similarity, want, missed)
		if want < 300 || missed*1000 > want {
			t.Errorf("%g: %d of %d pairs missed", similarity, missed, want)
		}
	}
}

// TestNearFamily is the worst case: thousands of texts of one template, all below the threshold, and a true pair.
func TestNearFamily(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	template := "evaluate the following sentence, correct its grammar and its spelling where that is needed, then answer: "
	var list []string
	for range 1200 {
		list = append(list, fmt.Sprint(template, r.Uint64()))
	}
	list = append(list, list[17]+"!")
	pairs, err := Near{Text: texts(list)}.Within(count(len(list)))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(pairs); n != 1 || pairs[0].A != 17 || pairs[0].B != 1200 {
		t.Errorf("%d pairs %.10v, want 17-1200 alone", n, pairs)
	}
}

func TestClasses(t *testing.T) {
	path := filepath.Join(write(t, "a.csv", "text,label\na,spam\nb,ham\nc,ham\nd,\ne,spam\nf,ham\n"), "a.csv")
	r, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := r.Classes("label")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%q %v %v", c.Names, c.Count, c.Of), `["" "ham" "spam"] [1 3 2] [2 1 1 0 2 1]`; got != want {
		t.Errorf("classes %s, want %s", got, want)
	}
	b, err := c.Balance(r.Rows())
	want := "6 records, 3 classes, the largest 3.0 times the smallest\n  \"ham\"                      3   50.0 %\n" +
		"  \"spam\"                     2   33.3 %\n  \"\"                         1   16.7 %"
	if err != nil || b.String() != want {
		t.Errorf("balance %v\n%s\nwant\n%s", err, b, want)
	}
	absent, err := c.Absent([]int{0, 1, 3}, []int{2, 4}, nil)
	if got, want := strings.Join(absent, ";"), `class "" has no record in part 2 of 3`; err != nil || got != want {
		t.Errorf("absent %q, %v, want %q", got, err, want)
	}
	if _, err := c.Absent([]int{6}); err == nil {
		t.Error("row 6 of 6 was counted")
	}
	if _, err := r.Classes("lable"); err == nil || !strings.Contains(err.Error(), `no column "lable"; there are "text", "label"`) {
		t.Errorf("wrong column: %v", err)
	}
}
