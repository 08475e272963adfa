package finetune

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/pretrained"
)

// TestLM goes on with pretraining on lines of text that are much alike; the last is longer than a row.
func TestLM(t *testing.T) {
	var lines []string
	for i := range 60 {
		lines = append(lines, fmt.Sprintf("the inn on the thin hill has %d rooms", 10+i%7))
	}
	lines = append(lines, strings.Repeat("the inn on the thin hill ", 60))
	s := Settings{Task: "lm", Model: tiny, Data: DataSettings{Path: write(t, "texts.txt", lines...), Text: "text", Duplicates: true}}
	s.Train.Epochs, s.Train.LR = 8, 1e-2
	j, out := open(t, s), filepath.Join(t.TempDir(), "run")
	r, err := j.Fit(Options{Out: out, Executor: plan.CPU(1)})
	if err != nil {
		t.Fatal(err)
	}
	if !(r.ValLoss < 0.7*r.BeforeLoss) || math.Abs(float64(r.Metrics["loss"]-r.ValLoss)) > 1e-5 {
		t.Errorf("loss %g after %g, metrics %v", r.ValLoss, r.BeforeLoss, r.Metrics)
	}
	tokens, bytes := 0, 0
	for _, row := range j.val.rows {
		text, err := j.val.r.Text(row, "text")
		if err != nil {
			t.Fatal(err)
		}
		ids, err := j.Tokenizer.Encode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		tokens, bytes = tokens+len(ids)+1, bytes+len(text) // each text has an end token
	}
	want := float64(r.Metrics["loss"]) * float64(tokens) / float64(bytes) / math.Ln2
	if got := float64(r.Metrics["bits_per_byte"]); math.Abs(got-want) > 1e-9 {
		t.Errorf("%.6f bits a byte, want %.6f", got, want)
	}
	p, err := OpenRun(out, plan.CPU(1))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a, err := p.Predict([]string{"the inn on the thin hill has", ""})
	if err != nil || len(a) != 2 || a[0].Text == nil || !strings.Contains(*a[0].Text, "rooms") {
		t.Errorf("%v, %v", a, err)
	}
	source, err := pretrained.Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if slices.Contains(source.End, 0) { // <|endoftext|>, not <|im_end|>
		t.Fatal("the model itself ends at 0")
	}
	if err := source.Adapt(filepath.Join(out, AdapterDir)); err != nil || !slices.Contains(source.End, 0) {
		t.Errorf("with the adapter texts end at %v, %v; want 0 among them", source.End, err)
	}
}

// TestLMPieces: a text longer than a row becomes pieces, in which each of its tokens is a target once.
func TestLMPieces(t *testing.T) {
	long := strings.Repeat("the inn on the thin hill ", 60)
	s := Settings{Task: "lm", Model: tiny, Data: DataSettings{Path: write(t, "texts.csv", "text", long, "\"\"", "in", "thin", "hill", "on", "inn"), Text: "text", Context: 50}}
	j := open(t, s)
	all := &subset{r: j.train.r, rows: j.train.r.Rows()}
	q, err := j.sequences(all, j.vary(0))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := j.Tokenizer.Encode([]byte(long))
	if err != nil {
		t.Fatal(err)
	}
	ids = append(ids, 0) // <|endoftext|>, not <|im_end|>
	if want := (len(ids)+49)/50 + 5; q.Len() != want || j.Counts.LeftOut < 1 || len(all.rows) != 6 {
		t.Errorf("%d examples of %d texts, want %d of 6; %+v", q.Len(), len(all.rows), want, j.Counts)
	}
	for at := 0; at < len(ids); {
		e, err := q.At(at/50, 0)
		if err != nil || len(e.IDs) != len(e.Y) || len(e.IDs) > 50 {
			t.Fatalf("piece %d: %v, %v", at/50, e, err)
		}
		if at == 0 && e.IDs[0] != 0 {
			t.Errorf("the text begins behind %d, want 0", e.IDs[0])
		}
		for k, y := range e.Y {
			if y != ids[at] || at > 0 && e.IDs[k] != ids[at-1] {
				t.Fatalf("token %d: target %d after %d, want %d", at, y, e.IDs[k], ids[at])
			}
			at++
		}
	}
}
