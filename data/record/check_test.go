package record

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// openText opens records that a test has as text.
func openText(t *testing.T, name, text string) *Records {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

const ownRows = `text,label
good morning,ham
win cash,spam
Good   Morning ,ham
WIN CASH,ham
" ",ham
the quick brown fox jumps over the lazy dog and runs into the deep wood,spam
the quick brown fox jumps over the lazy dog and runs into the deep woods,spam
all alone,rare
`

const heldRows = `label,text
ham,GOOD morning
new,never heard
spam,the quick brown fox jumps over the lazy dog and runs into the deep woody
`

// TestCheck: what is found in rows worked out by hand, and where.
func TestCheck(t *testing.T) {
	r, held := openText(t, "own.csv", ownRows), openText(t, "held.csv", heldRows)
	f, err := Check{Text: "text", Label: "label", Against: held, Seed: 1,
		Tokens: func(text string) (int, error) { return len(strings.Fields(text)), nil }}.Find(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"rows":8,"columns":["text","label"],"text":"text","label":"label","classes":{"ham":4,"rare":1,"spam":3},` +
		`"characters":{"min":1,"median":9,"p95":72,"max":72},"tokens":{"min":0,"median":2,"p95":15,"max":15},` +
		`"empty":1,"duplicates":2,"near_duplicates":1,"conflicts":1,"leaks":2,"held_out":3,"unseen":["new"],"small":["ham","rare","spam"]}`
	if d := cmp.Diff(want, string(b)); d != "" {
		t.Error(d)
	}
	pairs := func(p []Pair) (rows [][2]int) {
		for _, x := range p {
			rows = append(rows, [2]int{x.A, x.B})
		}
		return rows
	}
	p := f.Places
	if d := cmp.Diff([]any{[]int{4}, [][2]int{{0, 2}, {1, 3}}, [][2]int{{5, 6}}, [][2]int{{1, 3}}, [][2]int{{0, 0}, {5, 2}}},
		[]any{p.Empty, pairs(p.Duplicates), pairs(p.Near), pairs(p.Conflicts), pairs(p.Leaks)}); d != "" {
		t.Errorf("places: %s", d)
	}
	if len(f.Labels.Names) != 3 || f.Balance[0] != (Class{"ham", 4}) {
		t.Errorf("labels %v, balance %v", f.Labels.Names, f.Balance)
	}
}

// TestCheckSplit: without held-out records the leaks are those of a split, which the seed draws.
func TestCheckSplit(t *testing.T) {
	r := openText(t, "own.csv", ownRows)
	leaks := map[int]bool{}
	for seed := range uint64(8) {
		f, err := Check{Text: "text", Label: "label", Val: 0.4, Similarity: 1, Seed: seed}.Find(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.HeldOut != 3 || f.Near != 0 || f.Tokens != nil || f.Leaks != len(f.Places.Leaks) || len(f.Unseen) != 0 {
			t.Errorf("seed %d: %+v", seed, f)
		}
		leaks[f.Leaks] = true
	}
	if len(leaks) < 2 {
		t.Errorf("8 seeds give %v leaks, want several numbers", leaks)
	}
}

// TestCheckAnswers: duplicates contradict each other by their answers where the check has them, whatever their labels.
func TestCheckAnswers(t *testing.T) {
	r := openText(t, "asked.csv", "text,answer,label\nblue?,sky,a\nBLUE?,Sky,b\nblue?,sea,a\n")
	c := Check{Text: "text", Label: "label"}
	for i, want := range [][]Pair{{{0, 1, 1}}, {{0, 2, 1}}} {
		if i == 1 {
			c.Answers = func(r *Records) Texts { return r.Column("answer") }
		}
		f, err := c.Find(r)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, f.Places.Conflicts); d != "" {
			t.Errorf("answers: %t: %s", i == 1, d)
		}
	}
	c = Check{Text: "the answers", Texts: func(r *Records) Texts { return r.Column("answer") }}
	if f, err := c.Find(r); err != nil || f.Duplicates != 1 || f.Text != "the answers" {
		t.Errorf("texts of one's own: %+v, %v", f, err)
	}
}

func TestCheckErrors(t *testing.T) {
	r := openText(t, "own.csv", ownRows)
	for _, c := range []struct {
		c    Check
		r    *Records
		want string
	}{
		{Check{Text: "message"}, r, `no column "message"`},
		{Check{Text: "text", Label: "kind"}, r, `no column "kind"`},
		{Check{Text: "text", Label: "label", Against: openText(t, "a.txt", "x\n")}, r, `no column "label"`},
		{Check{Text: "text", Similarity: 0.3}, r, "similarity 0.3"},
		{Check{Text: "text", Val: 1}, r, "val 1"},
		{Check{Text: "text"}, openText(t, "empty.csv", "text,label\n\" \",ham\n"), `empty.csv: all 1 texts of column "text" are empty`},
		{Check{Text: "text", Tokens: func(string) (int, error) { return 0, os.ErrInvalid }}, r, "own.csv:2: invalid argument"},
	} {
		if f, err := c.c.Find(c.r); f != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.c, err, c.want)
		}
	}
}
