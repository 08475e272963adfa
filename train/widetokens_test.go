package train

import (
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/nn"
)

// TestWideTokens pretrains on ids above 65,535, which are written to token files and read back, in each layout.
func TestWideTokens(t *testing.T) {
	const vocab = 70000
	r := rand.New(rand.NewPCG(1, 2))
	words := make([]uint32, 12)
	for i := range words {
		words[i] = 65536 + r.Uint32N(vocab-65536)
	}
	var ids []uint32
	for range 60 {
		ids = append(ids, words...) // each id tells the next
	}
	var losses []float64
	for name, format := range map[string]data.Format{"bare": data.NanoGPT, "llm.c": data.LLMC} {
		dir := t.TempDir()
		for file, part := range map[string][]uint32{"train.bin": ids[:600], "val.bin": ids[600:]} {
			putFile(t, filepath.Join(dir, file), func(w io.Writer) error { return data.WriteTokens(w, format, part) })
		}
		if format == data.NanoGPT {
			putFile(t, filepath.Join(dir, data.WidthFile), func(w io.Writer) error { return data.WriteWidth(w, 4) })
		}
		d, err := data.Open(dir, data.TextOptions{Context: 8, Vocab: vocab})
		must(t, d, err)
		defer d.Close()
		src := d.Train(1)
		b := data.NewBatch(src.Fields(), 4)
		if _, err := src.Next(b); err != nil || slices.Min(b[field.IDs].Int) < 65536 {
			t.Fatalf("%s: ids %v, %v; want them above 65,535", name, b[field.IDs].Int, err)
		}
		c := gpt.Tiny
		c.Vocab, c.Context, c.Layers, c.Width, c.Heads = vocab, 8, 1, 8, 2
		tr := Trainer{Model: c, Loss: nn.CrossEntropy{}, Optimizer: AdamW{LR: 0.3}, Batch: 4, Steps: 10, Seed: 1, Val: d, EvalEvery: 10,
			fs: fast{atomicfile.OS}, noSync: true}
		run, err := tr.Fit(d)
		must(t, run, err)
		h := run.History
		if first, last := h[0].Loss, h[len(h)-1].ValLoss; !(last < 0.7*first) {
			t.Errorf("%s: the loss went from %g to %g held out", name, first, last)
		}
		losses = append(losses, h[len(h)-1].ValLoss)
	}
	if losses[0] != losses[1] {
		t.Errorf("the layouts give losses %v, want the same", losses)
	}
}

func putFile(t *testing.T, path string, write func(w io.Writer) error) {
	t.Helper()
	if err := atomicfile.WriteFile(fast{atomicfile.OS}, path, write); err != nil {
		t.Fatal(err)
	}
}
