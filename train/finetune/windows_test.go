package finetune

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/ceto-ml/ceto/data"
)

// TestStride: the perplexity by windows is that of transformers; see testdata/golden_stride.py.
func TestStride(t *testing.T) {
	var golden struct {
		Text  string
		Cases []struct {
			Context, Stride  int
			Loss, Perplexity float64
		}
	}
	b, err := os.ReadFile("testdata/stride.json")
	if err == nil {
		err = json.Unmarshal(b, &golden)
	}
	if err != nil || len(golden.Cases) < 5 {
		t.Fatalf("%d cases, %v", len(golden.Cases), err)
	}
	r := openRecords(t, write(t, "text.tsv", "text", golden.Text))
	for _, w := range golden.Cases {
		p, err := OpenBase(Settings{Task: "lm", Model: tiny, Data: DataSettings{Text: "text", Context: w.Context, Stride: w.Stride}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		metrics, _, err := p.Evaluate(r)
		p.Close()
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]float64{"loss": w.Loss, "perplexity": w.Perplexity} {
			if got := float64(metrics[name]); !(math.Abs(got-want) <= 1e-6*want*max(1, w.Loss)) {
				t.Errorf("context %d, stride %d: %s %.9g, want %.9g", w.Context, w.Stride, name, got, want)
			}
		}
	}
}

// TestWindows: every target counts once. At least n−stride tokens come before it, except at the text's beginning.
func TestWindows(t *testing.T) {
	for _, w := range []struct{ tokens, n, stride int }{{10, 4, 4}, {10, 4, 1}, {10, 4, 3}, {4, 4, 2}, {3, 8, 2}, {9, 4, 2}, {1, 1, 1}} {
		e := data.Sequence{}
		for i := range w.tokens {
			e.IDs, e.Y, e.Values = append(e.IDs, int32(i)), append(e.Y, int32(i+1)), append(e.Values, float32(i+1))
		}
		seen := make([]int, w.tokens)
		for i, p := range windows(e, w.n, w.stride) {
			if len(p.IDs) > w.n || len(p.IDs) < 1 || int(p.IDs[0]) != i*w.stride {
				t.Errorf("%+v: window %d is %v", w, i, p.IDs)
			}
			for k, y := range p.Y {
				if y < 0 != (p.Values[k] == 0) || y >= 0 && int(y) != int(p.IDs[k])+1 {
					t.Errorf("%+v: window %d, token %d: target %d of %g bytes", w, i, k, y, p.Values[k])
				}
				if y >= 0 {
					seen[y-1]++
					if k < w.n-w.stride && i > 0 {
						t.Errorf("%+v: token %d counts with %d before it", w, p.IDs[k], k)
					}
				}
			}
		}
		for i, n := range seen {
			if n != 1 {
				t.Errorf("%+v: token %d counts %d times", w, i, n)
			}
		}
		if e.Y[0] != 1 {
			t.Errorf("%+v: the text was changed", w)
		}
	}
}
