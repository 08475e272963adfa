package gpt_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
)

// headed is what testdata/golden_heads.py saw transformers compute with a new head.
type headed struct {
	Model  string
	Score  [][]float32
	IDs    [][]int32
	Last   []int32
	Y      []int32
	Logits [][]float32
	Losses []float64
}

func (e headed) data() *data.Table {
	var ids []int32
	for _, row := range e.IDs {
		ids = append(ids, row...)
	}
	n := len(e.IDs)
	return data.Examples(data.Batch{"ids": {Shape: []int{n, len(e.IDs[0])}, Int: ids}, "last": {Shape: []int{n}, Int: e.Last}, "y": {Shape: []int{n}, Int: e.Y}})
}

// TestClassify compares the logits of a new head, and the losses of five steps on all parameters, with transformers'.
// The ids of the padding must not matter.
func TestClassify(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	files, err := filepath.Glob("testdata/heads/*.json")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		var e headed
		b, err := os.ReadFile(f)
		if err == nil {
			err = json.Unmarshal(b, &e)
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := pretrained.Open("testdata/hf/" + e.Model)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if c, ok := s.Model.(gpt.GPT2); ok {
			c.Dropout = 0 // transformers' steps were made in mode eval
			s.Model = c
		}
		e.check(t, x, s)
	}
}

func (e headed) check(t *testing.T, x plan.Executor, s *pretrained.Source) {
	t.Helper()
	tr := train.Trainer{
		Task: gpt.Classify{Model: s.Model, Classes: 3}, Optimizer: train.AdamW{LR: 0.001}, Steps: len(e.Losses), Batch: len(e.IDs), Executor: x,
		From: func(st plan.State) error {
			if err := s.FillTrunk(st); err != nil {
				return err
			}
			var w []float32
			for _, row := range e.Score {
				w = append(w, row...)
			}
			return st.Write("score.weight", graph.Dense(graph.BufOf(w, 3, len(e.Score[0]))))
		},
	}
	run, err := tr.New(e.data())
	if err != nil {
		t.Fatalf("%s: %v", e.Model, err)
	}
	for i, row := range e.IDs { // other padding
		for j := int(e.Last[i]) + 1; j < len(row); j++ {
			row[j] = int32(i + j)
		}
	}
	g, err := (&train.Builder{Task: tr.Task, Params: run.State.Params}).Forward(nn.Eval, e.data().Train(1).Fields(), len(e.IDs))
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(g, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	prog, err := x.Compile(p, run.State)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int32
	for _, row := range e.IDs {
		ids = append(ids, row...)
	}
	if err := prog.Run(map[string]any{"ids": ids, "last": e.Last, "y": e.Y}, graph.Scalars{}); err != nil {
		t.Fatal(err)
	}
	d, err := prog.Read("y")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range e.Logits {
		goldentest.Near(t, fmt.Sprintf("%s: row %d", e.Model, i), d.Data().([]float32)[3*i:3*i+3], want, 1e-4)
	}
	if run, err = tr.Fit(e.data()); err != nil {
		t.Fatal(err)
	}
	for i, want := range e.Losses {
		if got := run.History[i].Loss; math.Abs(got-want) > 1e-4 {
			t.Errorf("%s: loss of step %d is %.6f, want %.6f", e.Model, i+1, got, want)
		}
	}
}
