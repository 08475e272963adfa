package metric

import (
	"math"
	"strings"
	"testing"
)

// TestEdges has what no reference defines, or defines otherwise.
func TestEdges(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name   string
		m      Metric
		pred   []float32
		cols   int
		target []float32
		want   float64
	}{
		{"NaN is wrong", TopK(2), []float32{nan, 1, 1, 2}, 2, []float32{1, 1}, 0.5},
		{"NaN is no class", Precision(Micro), []float32{nan, 1, 1, 2}, 2, []float32{1, 1}, 1},
		{"NaN misses its class", Recall(Micro), []float32{nan, 1, 1, 2}, 2, []float32{1, 1}, 0.5},
		{"NaN", LogLoss, []float32{nan, 1}, 2, []float32{0}, math.NaN()},
		{"NaN", ECE(10), []float32{nan, 1}, 2, []float32{0}, math.NaN()},
		{"NaN", AUROC, []float32{0.1, nan, 0.3}, 1, []float32{0, 1, 1}, math.NaN()},
		{"NaN", PRAUC, []float32{0.1, nan, 0.3}, 1, []float32{0, 1, 1}, math.NaN()},
		{"NaN in one class", AUROC, []float32{0, 1, nan, 1, 0, 2}, 3, []float32{0, 1}, math.NaN()},
		{"NaN", RMSE, []float32{nan, 1}, 1, []float32{0, 1}, math.NaN()},
		{"NaN", R2, []float32{nan, 1}, 1, []float32{0, 1}, math.NaN()},
		{"NaN", Pearson, []float32{nan, 1, 2}, 1, []float32{0, 1, 2}, math.NaN()},
		{"NaN", Spearman, []float32{1, 2, nan}, 1, []float32{0, 1, 2}, math.NaN()},
		{"NaN target", Spearman, []float32{1, 2, 3}, 1, []float32{nan, 1, 2}, math.NaN()},
		{"infinite scores", AUROC, []float32{-inf, inf, 0, inf}, 1, []float32{0, 1, 0, 0}, 5.0 / 6},
		{"infinite logit", LogLoss.FromLogits(), []float32{-inf}, 1, []float32{0}, 0},
		{"no negatives", AUROC, []float32{0.1, 0.2}, 1, []float32{1, 1}, math.NaN()},
		{"no positives", PRAUC, []float32{0.1, 0.2}, 1, []float32{0, 0}, math.NaN()},
		{"no negatives", PRAUC, []float32{0.1, 0.2}, 1, []float32{1, 1}, 1},
		{"tie: the first", TopK(1), []float32{5, 5}, 2, []float32{0}, 1},
		{"tie: not the second", TopK(1), []float32{5, 5}, 2, []float32{1}, 0},
		{"one half is class 1", TopK(1), []float32{0.5}, 1, []float32{1}, 1},
		{"k 2 of 2", TopK(2), []float32{0.1}, 1, []float32{1}, 1},
		{"k 0", TopK(0), []float32{2, 1}, 2, []float32{0}, 0},
		{"no bins", ECE(0), []float32{0.2}, 1, []float32{0}, math.NaN()},
		{"no bins", ECE(-3), []float32{0.2}, 1, []float32{0}, math.NaN()},
		{"sure and right", ECE(10), []float32{0, 1, 1, 0}, 2, []float32{1, 0}, 0},
		{"edges of bins", ECE(2), []float32{0.5, 0.5, 0.75, 0.25}, 2, []float32{0, 1}, 0.625},
		{"no such class", F1(2), []float32{0.5}, 1, []float32{1}, math.NaN()},
		{"no such average", F1(-7), []float32{0.5}, 1, []float32{1}, math.NaN()},
		{"all ignored", F1(Macro), []float32{0.5}, 1, []float32{-100}, math.NaN()},
	} {
		check(t, c.name, c.m, c.pred, c.cols, c.target, ptr(c.want))
	}
}

func TestEmpty(t *testing.T) {
	for name, m := range classMetrics {
		check(t, name, m, nil, 3, nil, nil)
		check(t, name, m, []float32{0, 1}, 2, []float32{-1}, nil)
	}
	for _, m := range []Metric{RMSE, R2, Pearson, Spearman, TokenAccuracy} {
		check(t, m.Name(), m, nil, 3, nil, nil)
	}
	for _, m := range []Text{BLEU, ROUGE1, Exact} {
		if got, err := m.Corpus(nil, nil); err != nil || !math.IsNaN(got) {
			t.Errorf("%s of nothing: %g, %v", m.Name(), got, err)
		}
	}
}

func TestLanguage(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"perplexity", Perplexity(10*math.Log(7), 10), 7},
		{"perplexity, sure", Perplexity(0, 3), 1},
		{"perplexity of none", Perplexity(0, 0), math.NaN()},
		{"bits", BitsPerByte(16*math.Ln2, 8), 2},
		{"bits of none", BitsPerByte(0, 0), math.NaN()},
	} {
		if !near(c.got, ptr(c.want)) && !same(c.got, c.want) {
			t.Errorf("%s = %g, want %g", c.name, c.got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		m      Metric
		pred   []float32
		cols   int
		target []float32
		err    string
	}{
		{F1(1), make([]float32, 4), 3, make([]float32, 1), "metric: f1_1: 4 predictions are no rows of 3"},
		{F1(1), make([]float32, 4), 0, make([]float32, 1), "no rows of 0"},
		{F1(1), make([]float32, 4), 2, make([]float32, 4), "metric: f1_1: 2 rows of 2 columns but 4 targets"},
		{MCC, make([]float32, 4), 2, []float32{0, 2}, "metric: mcc: row 1: target 2, want a class from 0 to 1"},
		{MCC, make([]float32, 4), 2, []float32{0, 0.5}, "row 1: target 0.5"},
		{MCC, make([]float32, 4), 2, []float32{0, nan}, "row 1: target NaN"},
		{MCC, make([]float32, 4), 2, []float32{0, float32(math.Inf(1))}, "row 1: target +Inf"},
		{AUROC, make([]float32, 2), 1, []float32{0, 2}, "row 1: target 2, want a class from 0 to 1"},
		{LogLoss, []float32{0, 1, -1, 3}, 2, []float32{0, 1}, "metric: log_loss: row 1: -1 is no probability; for logits want FromLogits"},
		{RMSE, make([]float32, 4), 2, make([]float32, 2), "metric: rmse: 4 predictions but 2 targets"},
		{R2, make([]float32, 4), 3, make([]float32, 4), "metric: r2: 4 predictions are no rows of 3"},
	} {
		a := c.m.New()
		if err := a.Add(c.pred, c.cols, c.target); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("error %v, want %q", err, c.err)
		}
		if !math.IsNaN(a.Value()) {
			t.Errorf("%s: a refused batch counts: %g", c.m.Name(), a.Value())
		}
	}
	for _, c := range []struct {
		m       Metric
		targets int // a row of two columns
	}{{F1(1), 1}, {R2, 2}} {
		a := c.m.New()
		if err := a.Add([]float32{1, 2}, 2, make([]float32, c.targets)); err != nil {
			t.Error(err)
		}
		if err := a.Add([]float32{1, 2, 3}, 3, make([]float32, c.targets*2-1)); err == nil || !strings.Contains(err.Error(), "3 columns after batches of 2") {
			t.Errorf("%s: 3 columns after 2: %v", c.m.Name(), err)
		}
	}
	if _, err := NewConfusion(2, []int{0}, []int{2}); err == nil {
		t.Error("a prediction of class 2 of 2 is taken")
	}
	if _, err := NewConfusion(2, []int{0}, nil); err == nil {
		t.Error("no prediction for a target is taken")
	}
	if _, err := BLEU.Corpus([]string{"a", "b"}, [][]string{{"a"}, {}}); err == nil || !strings.Contains(err.Error(), "text 1: metric: bleu: no reference") {
		t.Errorf("no reference: %v", err)
	}
	if _, err := BLEU.Corpus([]string{"a"}, nil); err == nil {
		t.Error("a text without a list of references is taken")
	}
}

// TestParts: a part of a corpus that is measured by index has the value that it has alone.
func TestParts(t *testing.T) {
	hyps := []string{"the cat sat on the mat", "dogs bark at night", "a b c d e", "it was the best of times"}
	refs := []string{"a cat sat on the mat", "the dogs bark at night", "a b c d f", "it was the worst of times"}
	pick := []int{3, 0, 0, 2}
	for _, m := range []Text{BLEU, BLEUChinese, ChrF, ROUGE1, ROUGE2, ROUGEL, ROUGELChars, Exact, ExactSQuAD} {
		s, part := m.New(), m.New()
		for i := range hyps {
			if err := s.Add(hyps[i], refs[i]); err != nil {
				t.Error(err)
			}
		}
		for _, i := range pick {
			if err := part.Add(hyps[i], refs[i]); err != nil {
				t.Error(err)
			}
		}
		if got, want := s.Of(pick), part.Value(); got != want || s.Len() != len(hyps) {
			t.Errorf("%s of rows %v = %g, alone %g", m.Name(), pick, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a.b", "\xff\xfe", "你好。", "&amp;lt; -\n", "İ\u0301the"} {
		f.Add(s, "the cat sat on a mat.")
	}
	f.Fuzz(func(t *testing.T, hyp, ref string) {
		for _, m := range []Text{BLEU, BLEUChinese, ChrF, ROUGE1, ROUGE2, ROUGEL, ROUGELChars, Exact, ExactSQuAD} {
			s := m.New()
			if err := s.Add(hyp, ref); err != nil {
				t.Fatal(err)
			}
			if v := s.Value(); !(v >= 0 && v <= 100+1e-9) {
				t.Errorf("%s(%q, %q) = %g", m.Name(), hyp, ref, v)
			}
		}
	})
}
