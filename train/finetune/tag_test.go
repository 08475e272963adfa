package finetune

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph/plan"
)

// tagged are n texts in JSON lines with two kinds of spans; characters of several bytes come before them.
func tagged(n int) []string {
	var lines []string
	for i := range n {
		text, spans := "né in 你 ", []string{}
		for k := range 2 {
			word := []string{"thin", "hill", "on"}[(i+k)%3]
			if label := []string{"A", "B", ""}[(i+k)%3]; label != "" {
				start := len([]rune(text))
				spans = append(spans, fmt.Sprintf(`[%d, %d, %q]`, start, start+len(word), label))
			}
			text += word + fmt.Sprintf(" %d ", i*7+k)
		}
		lines = append(lines, fmt.Sprintf(`{"text": %q, "label": [%s]}`, text, strings.Join(spans, ", ")))
	}
	return lines
}

// TestTag finds spans of two labels; the saved run finds those that the job measured, in characters.
func TestTag(t *testing.T) {
	for _, method := range []string{LoRA, Full} {
		t.Run(method, func(t *testing.T) {
			s := Settings{Task: "tag", Model: tiny, Method: method, Data: DataSettings{Path: write(t, "texts.jsonl", tagged(120)...), Text: "text", Label: []string{"label"}}}
			s.Train.Epochs, s.Train.LR = 15, 1e-2
			j, out := open(t, s), filepath.Join(t.TempDir(), "run")
			r, err := j.Fit(Options{Out: out, Executor: plan.CPU(1)})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"f1", "precision", "recall", "macro_f1", "token_accuracy"} {
				if v := r.Metrics[name]; !(v > 0.95) || !(r.CI95[name][0] <= v && v <= r.CI95[name][1]) {
					t.Errorf("%s %.3f in %v", name, v, r.CI95[name])
				}
			}
			p, err := OpenRun(out, plan.CPU(1))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			counts := SpanCounts{}
			answers, err := p.PredictRows(j.val.r, j.val.rows)
			if err != nil {
				t.Fatal(err)
			}
			for i, row := range j.val.rows {
				_, want, err := j.task.(*tag).read(j.Setup, j.val.r, row)
				if err != nil {
					t.Fatal(err)
				}
				counts.Add(CountSpans(want, answers[i].Spans))
				for _, a := range answers[i].Spans {
					if !(a.Probability > 0.4 && a.Probability <= 1) {
						t.Errorf("record %d: %+v", row, a)
					}
				}
			}
			if got, want := counts.Micro().F1, float64(r.Metrics["f1"]); math.Abs(got-want) > 1e-9 {
				t.Errorf("predictions have f1 %g, the job measured %g", got, want)
			}
			if a, err := p.Predict([]string{"", "né"}); err != nil || a[0].Spans == nil || len(a[0].Spans) != 0 {
				t.Errorf("no text: %v, %v", a, err)
			}
			if m, _, err := p.Evaluate(j.val.r); err != nil || !(m["f1"] > 0.95) {
				t.Errorf("of all records %v, %v", m, err)
			}
			wrong := openRecords(t, write(t, "wrong.jsonl", strings.Replace(tagged(1)[0], `"label": [`, `"label": [[0, 2, "B"], `, 1)))
			if m, _, err := p.Evaluate(wrong); err != nil || m["precision"] != 1 || math.Abs(float64(m["recall"])-2./3) > 1e-6 {
				t.Errorf("of three spans, one of which is wrong, %v, %v", m, err)
			}
		})
	}
}

// TestTagCounts: spans beyond the context are counted, and count as not found. Labels that training lacks give a
// warning.
func TestTagCounts(t *testing.T) {
	lines := tagged(40)
	s := Settings{Task: "tag", Model: tiny, Data: DataSettings{Path: write(t, "texts.jsonl", lines...), Text: "text", Label: []string{"label"}, Context: 12,
		ValPath: write(t, "val.jsonl", `{"text": "in the end an inn", "label": [[0, 2, "C"], [14, 17, "A"]]}`)}}
	s.Train.Epochs = 1
	j := open(t, s)
	c := j.Counts
	if c.Truncated != 40 || c.LostSpans < 20 || len(c.Warnings) != 3 || !strings.Contains(c.Warnings[0], `span "C"`) || fmt.Sprint(j.Settings.Data.Classes) != "[A B]" {
		t.Errorf("%+v, classes %v", c, j.Settings.Data.Classes)
	}
	r, err := j.Fit(Options{Executor: plan.CPU(1)})
	if err != nil || j.Counts.Truncated != c.Truncated || j.Counts.LostSpans != c.LostSpans || r.Metrics["recall"] > 0.5 {
		t.Errorf("after training %+v, %v; it has measured %v", j.Counts, err, r)
	}
	if n := slices.Max(j.train.lengths); n != 12 {
		t.Errorf("the longest example has %d tokens, want 12", n)
	}
	each := []found{{SpanCounts{"A": {Want: 2, Got: 1, Right: 1}}, 10, 9}, {SpanCounts{"A": {Got: 1}, "B": {Want: 1, Got: 1, Right: 1}}, 10, 8}}
	for name, want := range map[string]float64{"f1": 4. / 6, "precision": 2. / 3, "recall": 2. / 3, "macro_f1": 0.75, "token_accuracy": 0.85} {
		if got := spanMetrics(each)[name]([]int{0, 1}); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s %g, want %g", name, got, want)
		}
	}
	for name, w := range map[string]struct{ line, want string }{
		"overlap":  {`{"text": "in the end", "label": [[0, 4, "A"], [3, 6, "B"]]}`, "overlap"},
		"outside":  {`{"text": "in", "label": [[0, 4, "A"]]}`, "the text has 2 characters"},
		"no spans": {`{"text": "in", "label": "A"}`, "want a list"},
	} {
		s.Data.Path, s.Data.Strict, s.Data.Context = write(t, "bad.jsonl", append(lines[:9:9], w.line)...), true, 0
		if _, err := Open(s); err == nil || !strings.Contains(err.Error(), w.want) || !strings.Contains(err.Error(), "bad.jsonl:10") {
			t.Errorf("%s: %v, want bad.jsonl:10 and %q", name, err, w.want)
		}
	}
}
