package generate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/pretrained"
)

// TestText: the text of a sequence is that of its ids, without the token that ended it and cut before a stop text. It
// holds for sequences of every length. StreamText was told the same text.
func TestText(t *testing.T) {
	x := newExecutor(1)
	defer x.Close()
	g, err := pretrained.Load("../testdata/hf/llama-chat", x)
	if err != nil {
		t.Fatal(err)
	}
	prompt := []int32{1, 286, 201, 57, 74, 269, 223}
	answer := func(o generate.Options) generate.Sequence {
		t.Helper()
		var told strings.Builder
		o.StreamText = func(b []byte) bool { told.Write(b); return true }
		q, err := g.Generate([][]int32{prompt}, o)
		if err != nil {
			t.Fatal(err)
		}
		if told.String() != q[0].Text {
			t.Errorf("%+v: streamed %q, text %q", o, told.String(), q[0].Text)
		}
		return q[0]
	}
	all := answer(generate.Options{Tokens: 30, Temperature: 1, Seed: 4})
	for n := 1; n <= len(all.IDs); n++ {
		o := generate.Options{Tokens: n, Temperature: 1, Seed: 4}
		q, want := answer(o), string(g.Tokenizer.Decode(all.IDs[:n]))
		if q.Text != want || q.End != "length" {
			t.Errorf("%d tokens: %q, ended by %s; want %q", n, q.Text, q.End, want)
		}
		o.Stop = []string{want[len(want)-1:] + "never there"} // its start is held back to the end
		if q := answer(o); q.Text != want {
			t.Errorf("%d tokens, a stop text that begins: %q, want %q", n, q.Text, want)
		}
		o = generate.Options{Tokens: 30, Temperature: 1, Seed: 4, End: all.IDs[n-1 : n]}
		first := slices.Index(all.IDs, all.IDs[n-1])
		if q := answer(o); q.End != "end" || !slices.Equal(q.IDs, all.IDs[:first+1]) || q.Text != string(g.Tokenizer.Decode(all.IDs[:first])) {
			t.Errorf("end token %d: %v %q, ended by %s", all.IDs[n-1], q.IDs, q.Text, q.End)
		}
	}
	for i := 0; i+2 <= len(all.Text); i++ {
		stop := all.Text[i : i+2]
		q := answer(generate.Options{Tokens: 30, Temperature: 1, Seed: 4, Stop: []string{stop}})
		if q.End != "stop" || q.Text != all.Text[:strings.Index(all.Text, stop)] {
			t.Errorf("stop text %q: %q, ended by %s; all is %q", stop, q.Text, q.End, all.Text)
		}
	}
	g.Tokenizer = nil
	if _, err := g.Generate([][]int32{prompt}, generate.Options{Tokens: 1, Stop: []string{"x"}}); err == nil {
		t.Error("a stop text without a tokenizer: no error")
	}
}

// TestReturns: the sequences of several prompts differ. They come in the order of the prompts, and those of one prompt
// by score. They depend on their place in the batch, but not on the rest of it.
func TestReturns(t *testing.T) {
	eachGenerator(t, func(gold golden, g *generate.Generator) {
		prompts := [][]int32{{1, 2, 3}, {4}, {5, 6, 7, 8}}
		o := generate.Options{Tokens: 9, Temperature: 1.5, Returns: 4, Seed: 3}
		q, err := g.Generate(prompts, o)
		if err != nil || len(q) != 12 {
			gold.Fatalf("%d sequences, %v", len(q), err)
		}
		for i, s := range q {
			sum := 0.0
			for _, p := range s.LogProbs {
				sum += float64(p)
			}
			if s.Prompt != i/4 || len(s.IDs) != 9 || sum != s.Score || i%4 > 0 && s.Score > q[i-1].Score {
				gold.Errorf("sequence %d: %+v, Σ log p %g, the one before has %g", i, s, sum, q[max(0, i-1)].Score)
			}
			if i%4 > 0 && slices.Equal(s.IDs, q[i-1].IDs) {
				gold.Errorf("sequences %d and %d are the same", i-1, i)
			}
		}
		o.Returns = 1
		if alone, err := g.Generate(prompts[:1], o); err != nil || !slices.ContainsFunc(q[:4], func(s generate.Sequence) bool { return slices.Equal(s.IDs, alone[0].IDs) }) {
			gold.Errorf("the first sequence alone, %v, is not among those of the batch, %v", alone, err)
		}
	})
}
