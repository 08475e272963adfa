package metric

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// golden reads a file of testdata/golden.py.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// near compares with a reference, where nil is NaN.
func near(got float64, want *float64) bool {
	if want == nil {
		return math.IsNaN(got)
	}
	return math.Abs(got-*want) <= 1e-6
}

func show(want *float64) float64 {
	if want == nil {
		return math.NaN()
	}
	return *want
}

type wants map[string]*float64

// splits are the sizes of batches that must not change a value; 0 is all rows at once.
var splits = []int{0, 1, 2, 7}

// check runs a metric over rows in each split: the first value must be near want, the others equal to the first.
func check(t *testing.T, name string, m Metric, pred []float32, cols int, target []float32, want *float64) {
	t.Helper()
	rows, a := len(pred)/cols, m.New()
	wide := len(target) / max(1, rows)
	var first float64
	for i, size := range splits {
		a.Reset()
		if size == 0 {
			size = rows
		}
		for r := 0; r < rows; r += size {
			end := min(rows, r+size)
			if err := a.Add(pred[r*cols:end*cols], cols, target[r*wide:end*wide]); err != nil {
				t.Fatalf("%s: %s: %v", name, m.Name(), err)
			}
		}
		got := a.Value()
		if i == 0 {
			first = got
			if !near(got, want) {
				t.Errorf("%s: %s = %g, want %g", name, m.Name(), got, show(want))
			}
		} else if math.Float64bits(got) != math.Float64bits(first) && !(math.IsNaN(got) && math.IsNaN(first)) {
			t.Errorf("%s: %s = %v by batches of %d, %v at once", name, m.Name(), got, size, first)
		}
	}
}

var classMetrics = map[string]ClassMetric{
	"precision_micro": Precision(Micro), "precision_macro": Precision(Macro), "precision_weighted": Precision(Weighted), "precision_0": Precision(0),
	"recall_micro": Recall(Micro), "recall_macro": Recall(Macro), "recall_weighted": Recall(Weighted), "recall_0": Recall(0),
	"f1_micro": F1(Micro), "f1_macro": F1(Macro), "f1_weighted": F1(Weighted), "f1_1": F1(1), "mcc": MCC, "accuracy": TopK(1), "top2": TopK(2),
	"log_loss": LogLoss, "ece15": ECE(15), "ece3": ECE(3), "auroc": AUROC, "pr_auc": PRAUC,
}

func TestClassGolden(t *testing.T) {
	var file struct {
		Cases []struct {
			Name           string
			Cols           int
			Logits, Target []float32
			Want           wants
			Confusion      [][]int
		}
		None struct {
			Target, Pred []int
			Want         wants
		}
	}
	golden(t, "class.json", &file)
	for _, c := range file.Cases {
		for name, want := range c.Want {
			m, ok := classMetrics[name]
			if !ok {
				t.Fatalf("no metric %s", name)
			}
			check(t, c.Name, m.FromLogits(), c.Logits, c.Cols, c.Target, want)
			if c.Cols > 1 && !m.proba && name != "auroc" && name != "pr_auc" { // softmax keeps the order within a row
				check(t, c.Name+", scores", m, c.Logits, c.Cols, c.Target, want)
			}
		}
		if c.Cols > 1 {
			check(t, c.Name, Accuracy, c.Logits, c.Cols, c.Target, c.Want["accuracy"])
			check(t, c.Name, TokenAccuracy, c.Logits, c.Cols, c.Target, c.Want["accuracy"])
		}
		a := &confusing{value: (*Confusion).Accuracy}
		acc := classes{m: ClassMetric{logits: true}, classRows: a}
		if err := acc.Add(c.Logits, c.Cols, c.Target); err != nil || !near(a.Value(), c.Want["accuracy"]) {
			t.Errorf("%s: accuracy %g, %v", c.Name, a.Value(), err)
		}
		for i, row := range c.Confusion {
			for j, want := range row {
				if got := a.Count(i, j); got != want {
					t.Errorf("%s: %d rows of class %d as %d, want %d", c.Name, got, i, j, want)
				}
			}
		}
	}
	c, err := NewConfusion(3, file.None.Target, file.None.Pred)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range file.None.Want {
		got := c.Accuracy()
		if name != "accuracy" {
			a := classMetrics[name].new().(*confusing)
			got = a.value(c)
		}
		if !near(got, want) {
			t.Errorf("no class: %s = %g, want %g", name, got, show(want))
		}
	}
}

func TestRegressionGolden(t *testing.T) {
	var cases []struct {
		Name         string
		Cols         int
		Pred, Target []float32
		Want         wants
	}
	golden(t, "regression.json", &cases)
	for _, c := range cases {
		for _, m := range []Metric{RMSE, MSE, MAE, R2, Pearson, Spearman} {
			check(t, c.Name, m, c.Pred, c.Cols, c.Target, c.Want[m.Name()])
		}
	}
}

func TestTextGolden(t *testing.T) {
	var file struct {
		Cases []struct {
			Name string
			Hyps []string
			Refs [][]string
			Want wants
		}
		Chinese, Space [][2]rune
		Lines, Tok13a  []string
		Zh, Squad      []string
	}
	golden(t, "text.json", &file)
	all := []Text{BLEU, BLEUChinese, ChrF, ROUGE1, ROUGE2, ROUGEL, ROUGELChars, Exact, ExactSQuAD}
	for _, c := range file.Cases {
		if len(c.Want) != len(all) {
			t.Errorf("%s: %d values, want %d", c.Name, len(c.Want), len(all))
		}
		for _, m := range all {
			if got, err := m.Corpus(c.Hyps, c.Refs); err != nil || !near(got, c.Want[m.Name()]) {
				t.Errorf("%s: %s = %.9g, %v; want %.9g", c.Name, m.Name(), got, err, show(c.Want[m.Name()]))
			}
		}
	}
	for i, s := range file.Lines {
		for _, c := range [][3]string{
			{"13a", strings.Join(tokens13a(s), " "), file.Tok13a[i]}, {"zh", strings.Join(tokensZh(s), " "), file.Zh[i]}, {"SQuAD", normalize(s), file.Squad[i]},
		} {
			if c[1] != c[2] {
				t.Errorf("%s of %q: %q, want %q", c[0], s, c[1], c[2])
			}
		}
	}
	for r := rune(0); r < 0x30000; r++ {
		within := func(c [2]rune) bool { return c[0] <= r && r <= c[1] }
		if !utf8.ValidRune(r) {
			continue
		}
		if isChinese(r) != slices.ContainsFunc(file.Chinese, within) || isSpace(r) != slices.ContainsFunc(file.Space, within) {
			t.Errorf("U+%04X: Chinese %t, space %t, want the contrary of one", r, isChinese(r), isSpace(r))
		}
	}
}
