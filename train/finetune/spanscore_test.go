package finetune_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/train/finetune"
)

// TestSpanScores: spans and scores of random tags are seqeval's: see testdata/golden_spans.py.
func TestSpanScores(t *testing.T) {
	b, err := os.ReadFile("testdata/spans.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name   string
			Labels finetune.Tags
			Rows   []struct {
				Want, Got    []string
				WantEntities []finetune.Span `json:"want_entities"`
				GotEntities  []finetune.Span `json:"got_entities"`
			}
			Label        map[string][3]float64
			Micro, Macro [3]float64
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 6 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		counts := finetune.SpanCounts{}
		for i, row := range c.Rows {
			want, got := ofTags(t, c.Labels, row.Want), ofTags(t, c.Labels, row.Got)
			if !slices.Equal(want, row.WantEntities) || !slices.Equal(got, row.GotEntities) {
				t.Errorf("%s: row %d: %v and %v, want %v and %v", c.Name, i, want, got, row.WantEntities, row.GotEntities)
			}
			counts.Add(finetune.CountSpans(want, append(got, got...)))
		}
		same := func(what string, s finetune.SpanScore, want [3]float64) {
			for i, got := range []float64{s.Precision, s.Recall, s.F1} {
				if !(math.Abs(got-want[i]) <= 1e-12) {
					t.Errorf("%s: %s: %v, want %v", c.Name, what, s, want)
				}
			}
		}
		if len(counts) != len(c.Label) {
			t.Errorf("%s: counts %v, want those of %v", c.Name, counts, c.Label)
		}
		for label, want := range c.Label {
			same(label, counts[label].Score(), want)
		}
		same("micro", counts.Micro(), c.Micro)
		same("macro", counts.Macro(), c.Macro)
	}
}

// ofTags decodes tags as if they were those of the letters of a text.
func ofTags(t *testing.T, labels finetune.Tags, tags []string) []finetune.Span {
	t.Helper()
	classes := labels.Classes()
	p := make([]float32, len(classes)*len(tags))
	var tokens [][2]int
	for i, tag := range tags {
		p[i*len(classes)+slices.Index(classes, tag)] = 1
		tokens = append(tokens, [2]int{i, i + 1})
	}
	spans, err := labels.Decode(strings.Repeat("a", len(tags)), tokens, p)
	if err != nil {
		t.Fatal(err)
	}
	for i := range spans {
		spans[i].Probability = 0
	}
	return spans
}

// TestNoSpans: scores of nothing are 0.
func TestNoSpans(t *testing.T) {
	c := finetune.CountSpans(nil, nil)
	if c.Micro() != (finetune.SpanScore{}) || c.Macro() != (finetune.SpanScore{}) || len(c) != 0 {
		t.Error(c, c.Micro(), c.Macro())
	}
}
