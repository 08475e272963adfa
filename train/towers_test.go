package train

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
)

// towers scores pairs by the product of what two towers make of ids and of numbers, as a recommender does.
type towers struct{}

func (towers) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	user := s.Within("user", func(s *nn.Scope) *graph.Node {
		x := s.Mean(s.Call("table", nn.Embedding{Vocab: 6, Dim: 8}, in["seen"]), 1) // (B, T, 8) to (B, 8)
		return s.Call("out", nn.Linear{Out: 4}, x)
	})
	item := s.Within("item", func(s *nn.Scope) *graph.Node {
		return s.Call("net", nn.Sequential{nn.Linear{Out: 8}, nn.Tanh, nn.Linear{Out: 4}}, in["item"])
	})
	return scored(s, in, s.Sum(s.Mul(user, item), -1))
}

// twins tells whether two rows go together by the product of what one tower makes of both.
type twins struct{}

func (twins) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	both := s.Within("tower", func(s *nn.Scope) *graph.Node {
		return s.Call("net", nn.Sequential{nn.Linear{Out: 8}, nn.Tanh, nn.Linear{Out: 4}}, s.Concat(0, in["a"], in["b"]))
	})
	n := in["a"].Dim(0)
	return scored(s, in, s.Sum(s.Mul(s.Slice(both, 0, 0, n), s.Slice(both, 0, n, 2*n)), -1))
}

// scored is the objective of a score (B).
func scored(s *nn.Scope, in nn.Inputs, score *graph.Node) nn.Objective {
	loss := nn.BCEWithLogits{}
	o := nn.Objective{Outputs: map[string]*graph.Node{"y": score}}
	if s.Mode() != nn.Train {
		o.Outputs["predict"] = loss.Predict(s, score)
	}
	if in["y"] != nil {
		o.Loss, o.Weight = loss.Loss(s, score, in["y"])
	}
	return o
}

// pairs are n examples of a task of two inputs, and its answers by a rule that needs both.
func pairs(n int) (ids, rows *data.Table) {
	r := nn.NewRand(5, "pairs")
	seen, item := make([]int32, 2*n), make([]float32, 3*n)
	a, b := make([]float32, 3*n), make([]float32, 3*n)
	likes, same := make([]float32, n), make([]float32, n)
	for i := range n {
		k := int32(r.Uniform(i, 0) * 6)
		seen[2*i], seen[2*i+1] = k, k
		for j := range 3 {
			item[3*i+j] = float32(r.Normal(3*i+j, 1))
			a[3*i+j], b[3*i+j] = float32(r.Normal(3*i+j, 2000)), float32(r.Normal(3*i+j, 4000))
		}
		if (k < 3) == (item[3*i] > 0) {
			likes[i] = 1
		}
		if (a[3*i] > 0) == (b[3*i] > 0) {
			same[i] = 1
		}
	}
	y := func(v []float32) data.Array { return data.Array{Shape: []int{n}, Float: v} }
	return data.Examples(data.Batch{"seen": {Shape: []int{n, 2}, Int: seen}, "item": {Shape: []int{n, 3}, Float: item}, "y": y(likes)}),
		data.Examples(data.Batch{"a": {Shape: []int{n, 3}, Float: a}, "b": {Shape: []int{n, 3}, Float: b}, "y": y(same)})
}

// TestTowers trains models of two inputs, with weights of their own and with shared ones, to answers that neither input
// tells alone.
func TestTowers(t *testing.T) {
	ids, rows := pairs(256)
	for _, c := range []struct {
		name   string
		task   Task
		data   *data.Table
		params []string
	}{
		{"own weights", towers{}, ids, []string{"user.table.weight", "user.out.weight", "user.out.bias",
			"item.net.0.weight", "item.net.0.bias", "item.net.2.weight", "item.net.2.bias"}},
		{"shared weights", twins{}, rows, []string{"tower.net.0.weight", "tower.net.0.bias", "tower.net.2.weight", "tower.net.2.bias"}},
	} {
		var warned []string
		tr := Trainer{Task: c.task, Optimizer: Adam{LR: 0.02}, Batch: 32, Epochs: 60, Seed: 1, Executor: plan.CPU(1), Val: c.data,
			Warn: func(s string) { warned = append(warned, s) }}
		run, err := tr.Fit(c.data)
		must(t, run, err)
		var names []string
		for _, p := range run.State.Params.All() {
			names = append(names, p.Name)
		}
		if !slices.Equal(names, c.params) || len(warned) > 0 {
			t.Errorf("%s: parameters %v, want %v; warnings %s", c.name, names, c.params, strings.Join(warned, "; "))
		}
		s, err := run.Evaluate(c.data)
		if must(t, s, err); !(s.Loss < 0.2) || s.Weight != 256 || !(run.History[0].Loss > 0.9*math.Ln2) {
			t.Errorf("%s: loss %g at first, then %v", c.name, run.History[0].Loss, s)
		}
	}
}
